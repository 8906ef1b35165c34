# The Debian packages: kith and kith-dev (the header of plug-ins). `cpack -G DEB` in a release build writes both.
if(NOT TARGET kith)
  return()
endif()

set(MAN ${CMAKE_BINARY_DIR}/kith.1)
add_custom_command(OUTPUT ${MAN} COMMAND ${PROJECT_SOURCE_DIR}/deploy/debian/man.sh $<TARGET_FILE:kith> > ${MAN}
  DEPENDS kith ${PROJECT_SOURCE_DIR}/deploy/debian/man.sh)
add_custom_target(man ALL DEPENDS ${MAN})

set(FILES ${PROJECT_SOURCE_DIR}/deploy)
install(FILES ${MAN} DESTINATION share/man/man1 COMPONENT kith)
install(FILES ${FILES}/debian/kith.bash DESTINATION share/bash-completion/completions RENAME kith COMPONENT kith)
install(PROGRAMS ${FILES}/models.sh DESTINATION share/kith COMPONENT kith)
install(FILES ${FILES}/debian/copyright DESTINATION share/doc/kith COMPONENT kith)
install(FILES ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${FILES}/mariadb.sql DESTINATION share/doc/kith COMPONENT kith)
install(FILES ${FILES}/systemd/kith.service ${FILES}/systemd/kith-retry.service ${FILES}/systemd/kith-retry.timer
  DESTINATION lib/systemd/system COMPONENT kith)
# What people edit: kept when the package is renewed.
install(FILES ${FILES}/systemd/kith.env DESTINATION /etc/kith COMPONENT kith)
install(FILES ${FILES}/debian/copyright DESTINATION share/doc/kith-dev COMPONENT dev)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME kith)
set(CPACK_PACKAGE_CONTACT "kith <maintainers@users.noreply.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "who is in this picture: face recognition as a durable service")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL kith dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_KITH_PACKAGE_NAME kith)
set(CPACK_DEBIAN_KITH_PACKAGE_SHLIBDEPS ON)
# OpenBLAS: the reference BLAS that any program is content with is several times slower.
set(CPACK_DEBIAN_KITH_PACKAGE_DEPENDS "opencv-data, libopenblas0-pthread")
set(CPACK_DEBIAN_KITH_PACKAGE_RECOMMENDS "python3-pip, ca-certificates")
set(CPACK_DEBIAN_KITH_PACKAGE_SUGGESTS "mariadb-server, nats-server")
set(CPACK_DEBIAN_KITH_PACKAGE_CONTROL_EXTRA ${FILES}/debian/conffiles)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME kith-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_ARCHITECTURE all)
set(CPACK_COMPONENT_KITH_DESCRIPTION "Takes image paths or bytes over HTTP/2, stores them durably, recognises the faces
with a plug-in and shows the answers on a live page.")
set(CPACK_COMPONENT_DEV_DESCRIPTION "The header that a recogniser's plug-in for kith is written against.")
include(CPack)
