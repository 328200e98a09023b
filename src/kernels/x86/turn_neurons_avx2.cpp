#include "kernels/turn_neurons_tiles.h"
#include "kernels/x86/avx2.h"

namespace plm::kernels::avx2 {

void turn_neurons(const TurnNeuronsArgs& args) { NeuronTurner<32>::turn(args); }

}  // namespace plm::kernels::avx2
