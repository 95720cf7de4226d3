# What `cmake --install build/release --component client` installs: the stubs as a library of their
# own, the wrapper, their headers, and the package that find_package(Passerelle) reads. Here the
# wrapper takes the stubs' objects instead, which the server shares.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
add_library(passerelle_api STATIC $<TARGET_OBJECTS:passerelle_protos>)
target_link_libraries(passerelle_api PUBLIC gRPC::grpc++ protobuf::libprotobuf)
target_include_directories(passerelle_api INTERFACE $<INSTALL_INTERFACE:include>)
set_target_properties(passerelle_api PROPERTIES EXPORT_NAME api)
set_target_properties(passerelle_client PROPERTIES EXPORT_NAME client)

set(PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Passerelle)
install(TARGETS passerelle_api passerelle_client EXPORT PasserelleTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT client)
install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/passerelle DESTINATION include COMPONENT client
        FILES_MATCHING PATTERN "*.h")
install(DIRECTORY ${PROJECT_BINARY_DIR}/generated/ DESTINATION include COMPONENT client
        FILES_MATCHING PATTERN "*.pb.h")
install(EXPORT PasserelleTargets NAMESPACE Passerelle:: DESTINATION ${PACKAGE_DIR}
        COMPONENT client)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/PasserelleConfig.cmake
"include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(Protobuf)
find_dependency(gRPC CONFIG)
find_dependency(absl CONFIG)
include(\${CMAKE_CURRENT_LIST_DIR}/PasserelleTargets.cmake)
")
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/PasserelleConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/PasserelleConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/PasserelleConfigVersion.cmake
        DESTINATION ${PACKAGE_DIR} COMPONENT client)
