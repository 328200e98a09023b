#include "kernels/arm/neon.h"
#include "kernels/turn_neurons_tiles.h"

namespace plm::kernels::neon {

void turn_neurons(const TurnNeuronsArgs& args) { NeuronTurner<16>::turn(args); }

}  // namespace plm::kernels::neon
