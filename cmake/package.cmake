# What is installed, and the Debian package of it: `cpack` in a release build.
include(GNUInstallDirs)

set(PACKAGING ${PROJECT_SOURCE_DIR}/packaging)
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS # whatever the umask
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

function(gzipped SOURCE RESULT) # without name and time, so that builds are alike
  add_custom_command(
    OUTPUT ${RESULT}
    COMMAND sh -c "gzip -9nc \"$0\" >\"$1\"" ${SOURCE} ${RESULT}
    DEPENDS ${SOURCE}
    VERBATIM)
endfunction()

set(MANUAL ${PROJECT_BINARY_DIR}/inventory-service.1)
add_custom_command(
  OUTPUT ${MANUAL}
  COMMAND sh -c "\"$0\" \"$1\" >\"$2\"" $<TARGET_FILE:manual>
          ${PROJECT_SOURCE_DIR}/docs/inventory-service.1.in ${MANUAL}
  DEPENDS manual ${PROJECT_SOURCE_DIR}/docs/inventory-service.1.in
  VERBATIM)
gzipped(${MANUAL} ${MANUAL}.gz)

set(COMPLETION ${PROJECT_BINARY_DIR}/inventory-service.bash)
add_custom_command(
  OUTPUT ${COMPLETION}
  COMMAND sh -c "\"$0\" >\"$1\"" $<TARGET_FILE:completion> ${COMPLETION}
  DEPENDS completion
  VERBATIM)

set(CPACK_PACKAGE_CONTACT "Inventory service maintainers <maintainers@inventory-service.example>")
configure_file(${PACKAGING}/debian/changelog.in ${PROJECT_BINARY_DIR}/changelog @ONLY)
gzipped(${PROJECT_BINARY_DIR}/changelog ${PROJECT_BINARY_DIR}/changelog.gz)
gzipped(${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_BINARY_DIR}/CHANGELOG.md.gz)
add_custom_target(
  documents ALL DEPENDS ${MANUAL}.gz ${COMPLETION} ${PROJECT_BINARY_DIR}/changelog.gz
                        ${PROJECT_BINARY_DIR}/CHANGELOG.md.gz)

install(TARGETS inventory-service DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${MANUAL}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(
  FILES ${COMPLETION}
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME inventory-service)
install(FILES ${PROJECT_BINARY_DIR}/changelog.gz ${PROJECT_BINARY_DIR}/CHANGELOG.md.gz
              ${PACKAGING}/debian/copyright docs/README.md docs/contract.md docs/holds.md
              docs/holds.svg docs/clients.md docs/install.md docs/configure.md docs/run.md docs/stock.md
              docs/clusters.md docs/console.md docs/monitor.md docs/alerts.md docs/dead-letters.md docs/recover.md
              docs/ledger.md docs/moving-over.md docs/scale.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${PACKAGING}/inventory-service.service ${PACKAGING}/inventory-service-archive.service
              ${PACKAGING}/inventory-service-archive.timer ${PACKAGING}/inventory-router.service
        DESTINATION /usr/lib/systemd/system)
install(
  FILES ${PACKAGING}/debian/lintian-overrides
  DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
  RENAME inventory-service)
install(
  FILES ${PACKAGING}/inventory-service.toml
  DESTINATION /etc/inventory-service
  PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ) # it will hold passwords

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON) # for the absolute paths
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_NAME inventory-service)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "postgresql, rabbitmq-server")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "exactly-once inventory service over RabbitMQ")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "It takes order lines from a queue of RabbitMQ, decides each exactly once
against the stock in PostgreSQL or SQLite, and answers.
.
It is installed, but not enabled: first name the broker and the database in
/etc/inventory-service/inventory-service.toml.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${PACKAGING}/debian/conffiles ${PACKAGING}/debian/postinst ${PACKAGING}/debian/prerm
    ${PACKAGING}/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
