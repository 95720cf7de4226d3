# What `cmake --install build/release --component client` installs: the stubs as a library of their
# own, the wrapper, their headers, the server for tests with its libraries, and the package that
# find_package(Passerelle) reads. Here wrapper and server take the stubs' objects instead.
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

# In a file of their own, which is not read where what the server needs is not there.
set_target_properties(passerelle_testing PROPERTIES EXPORT_NAME testing)
set_target_properties(passerelle_server PROPERTIES EXPORT_NAME server)
set_target_properties(passerelle_storage PROPERTIES EXPORT_NAME storage)
install(TARGETS passerelle_testing passerelle_server passerelle_storage
        EXPORT PasserelleTestingTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT client)
install(EXPORT PasserelleTestingTargets NAMESPACE Passerelle:: DESTINATION ${PACKAGE_DIR}
        COMPONENT client)

write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/PasserelleConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/PasserelleConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/PasserelleConfigVersion.cmake
        DESTINATION ${PACKAGE_DIR} COMPONENT client)
