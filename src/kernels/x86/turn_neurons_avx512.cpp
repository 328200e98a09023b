#include "kernels/turn_neurons_tiles.h"
#include "kernels/x86/avx512.h"

namespace plm::kernels::avx512 {

void turn_neurons(const TurnNeuronsArgs& args) { NeuronTurner<64>::turn(args); }

}  // namespace plm::kernels::avx512
