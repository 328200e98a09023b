# What `cmake --install` leaves: the program, its bundled model, the public headers and the package
# `plm`, so that another project writes find_package(plm) and links plm::plm, or plm::c for the C interface alone.

include(CMakePackageConfigHelpers)

get_property(plm_libraries GLOBAL PROPERTY PLM_LIBRARIES)
# The program's own parts: another project has no use for them, nor for what they depend on.
list(REMOVE_ITEM plm_libraries plm_cli plm_inspect plm_bench plm_plot plm_train_data plm_hub plm_server)
set(plm_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/plm)

add_library(plm_all INTERFACE)
add_library(plm::plm ALIAS plm_all)
set_target_properties(plm_all PROPERTIES EXPORT_NAME plm)
target_compile_features(plm_all INTERFACE cxx_std_20)
target_link_libraries(plm_all INTERFACE ${plm_libraries})

install(TARGETS plm_all ${plm_libraries} plm_c EXPORT plmTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT plmTargets NAMESPACE plm:: DESTINATION ${plm_config_dir})

if(TARGET plm)
  install(TARGETS plm RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
# plm/plm.h and plm/plm_c.h are the interface (decision 0093). plm/engine.h gathers headers of src/, which lie beside it so
# that they find each other (decision 0009).
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/src/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/plm
        FILES_MATCHING PATTERN "*.h"
        PATTERN cli EXCLUDE PATTERN bench EXCLUDE PATTERN inspect EXCLUDE PATTERN plot EXCLUDE PATTERN train EXCLUDE PATTERN hub EXCLUDE
        PATTERN scheduler EXCLUDE PATTERN server EXCLUDE PATTERN jinja EXCLUDE PATTERN chat EXCLUDE PATTERN api EXCLUDE
        PATTERN x86 EXCLUDE PATTERN arm EXCLUDE PATTERN reference EXCLUDE)
target_include_directories(plm_all INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/plm>)
install(FILES ${PROJECT_SOURCE_DIR}/models/story-7m-f16.gguf ${PROJECT_SOURCE_DIR}/models/README.md
        DESTINATION ${CMAKE_INSTALL_DATADIR}/plm/models)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/NOTICE
        DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/plm)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/plmConfig.cmake.in ${PROJECT_BINARY_DIR}/plmConfig.cmake
                              INSTALL_DESTINATION ${plm_config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/plmConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/plmConfig.cmake ${PROJECT_BINARY_DIR}/plmConfigVersion.cmake
        DESTINATION ${plm_config_dir})
