#include "kernels/reference/reference.h"
#include "kernels/turn_neurons_tiles.h"

namespace plm::kernels::reference {

void turn_neurons(const TurnNeuronsArgs& args) { NeuronTurner<16>::turn(args); }

}  // namespace plm::kernels::reference
