# syntax=docker/dockerfile:1
# The service in a container: the Debian package, made and installed.

FROM debian:13 AS build
WORKDIR /source
COPY scripts scripts
RUN scripts/setup build
COPY . .
RUN scripts/build release && cd build/release && cpack

FROM debian:13-slim
COPY --from=build /source/build/release/inventory-service_*.deb /tmp/
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates /tmp/inventory-service_*.deb \
  && rm -rf /tmp/inventory-service_*.deb /var/lib/apt/lists/*
RUN install --directory --owner=inventory-service --group=inventory-service --mode=750 \
  /var/lib/inventory-service
USER inventory-service
WORKDIR /var/lib/inventory-service
VOLUME /var/lib/inventory-service
ENV INVENTORY_HTTP_LISTEN=0.0.0.0:9464
EXPOSE 9464
# Ready: both queues are consumed. Docker only shows it; what waits for a broker is not restarted.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD \
  ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 && read -r -t 2 _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["inventory-service"]
CMD ["serve"]
