# Cross-building for 64-bit Arm Linux with Debian's g++-aarch64-linux-gnu and running the result with
# qemu-user-static. PLM_ARM_SYSROOT: the folder made by tools/arm_sysroot.sh (libraries but the C and
# C++ ones, which come with the compiler).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES PLM_ARM_SYSROOT)
set(CMAKE_FIND_ROOT_PATH ${PLM_ARM_SYSROOT} /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

set(ENV{PKG_CONFIG_SYSROOT_DIR} ${PLM_ARM_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR}
    ${PLM_ARM_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${PLM_ARM_SYSROOT}/usr/share/pkgconfig)

# Where libraries, and those that they need in turn, are found at run time; Debian has two folders.
set(CMAKE_EXE_LINKER_FLAGS_INIT -Wl,--disable-new-dtags)
foreach(folder lib usr/lib)
  string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT " -Wl,-rpath,${PLM_ARM_SYSROOT}/${folder}/aarch64-linux-gnu")
endforeach()
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static;-L;/usr/aarch64-linux-gnu;-cpu;max)
