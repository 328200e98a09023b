# The target plm_torch: headers and libraries of the torch that PLM_PYTHON can import.
#
# find_package(Torch) is not used: with a CUDA wheel it insists on a whole CUDA toolkit that the wheel does
# not need (decision 0050).
set(PLM_PYTHON "${PROJECT_SOURCE_DIR}/.venv-train/bin/python" CACHE FILEPATH "Python that can import torch")

execute_process(
  COMMAND "${PLM_PYTHON}" -c
          "import torch, os; print(torch.__version__, os.path.dirname(torch.__file__), int(torch._C._GLIBCXX_USE_CXX11_ABI), sep=';')"
  OUTPUT_VARIABLE torch_answer ERROR_VARIABLE torch_error RESULT_VARIABLE torch_code OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT torch_code EQUAL 0)
  message(FATAL_ERROR "PLM_TRAIN: ${PLM_PYTHON} cannot import torch; run `make train-deps` or set PLM_PYTHON\n${torch_error}")
endif()
list(GET torch_answer 0 PLM_TORCH_VERSION)
list(GET torch_answer 1 torch_folder)
list(GET torch_answer 2 torch_new_abi)
if(NOT torch_new_abi)
  message(FATAL_ERROR "PLM_TRAIN: torch ${PLM_TORCH_VERSION} was built with the old C++ ABI; install 2.7 or newer")
endif()
if(PLM_TORCH_VERSION VERSION_LESS 2.11 OR PLM_TORCH_VERSION VERSION_GREATER_EQUAL 2.14)
  message(FATAL_ERROR "PLM_TRAIN: found torch ${PLM_TORCH_VERSION}, expected 2.11 to 2.13 (c10d's C++ interface changes)")
endif()
message(STATUS "torch ${PLM_TORCH_VERSION} in ${torch_folder}")

add_library(plm_torch INTERFACE)
# After the system's own folders: the wheel brings its own fmt, and the one that plm is linked with must win.
target_compile_options(plm_torch INTERFACE
  "SHELL:-idirafter ${torch_folder}/include" "SHELL:-idirafter ${torch_folder}/include/torch/csrc/api/include")
target_compile_definitions(plm_torch INTERFACE USE_DISTRIBUTED USE_C10D_GLOO)
target_link_directories(plm_torch INTERFACE ${torch_folder}/lib)
target_link_libraries(plm_torch INTERFACE torch_cpu c10)
target_link_options(plm_torch INTERFACE "LINKER:-rpath,${torch_folder}/lib")
if(EXISTS ${torch_folder}/lib/libtorch_cuda.so)
  # Registers the CUDA kernels when loaded; nothing refers to it by name.
  target_link_libraries(plm_torch INTERFACE -Wl,--no-as-needed torch_cuda c10_cuda -Wl,--as-needed)
endif()

# Own kernels for GPUs where torch computes on CUDA and nvcc is at hand; without, the trainer runs there on
# ATen's operations. PLM_CUDA=OFF leaves them out.
option(PLM_CUDA "Build the trainer's own CUDA kernels where torch has CUDA and there is a CUDA compiler" ON)
set(PLM_TRAIN_CUDA OFF)
if(PLM_CUDA AND EXISTS ${torch_folder}/lib/libtorch_cuda.so)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 80 90)  # and what comes later, by compilation when the program starts
    endif()
    # The runtime that torch has loaded, not a second one inside the program.
    set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
    enable_language(CUDA)
    set(CMAKE_CUDA_STANDARD 17)  # what CMake 3.22 knows for nvcc
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    set(PLM_TRAIN_CUDA ON)
  endif()
endif()
message(STATUS "own CUDA kernels for training: ${PLM_TRAIN_CUDA}")
