# Hopline in a container: the server, the sidecars and the simulators, nothing else. Two stages, so that the build
# backend's leavings and the package client's cache stay behind; the process runs as an ordinary user.
#
#   docker build -t hopline .
#   docker run -p 8080:8080 -v hopline-data:/var/lib/hopline -v ./hopline.toml:/etc/hopline/hopline.toml:ro hopline
#
# tests/packaging/test_dockerfile.py reads this file and plays it in a clean Debian: keep to FROM, RUN, COPY, ENV, USER,
# WORKDIR, VOLUME, EXPOSE, HEALTHCHECK and CMD.

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/hopline
# Dependencies first: this layer is built again only when the lock changes.
COPY requirements.lock ./
RUN /opt/hopline/bin/python -m pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml ./
COPY router ./router
COPY sidecars ./sidecars
COPY simulators ./simulators
COPY config ./config
RUN /opt/hopline/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
# A fixed number, so that a volume keeps its owner from image to image.
RUN groupadd --gid 8080 hopline \
    && useradd --uid 8080 --gid hopline --home-dir /var/lib/hopline --no-create-home --shell /usr/sbin/nologin hopline \
    && mkdir -p /etc/hopline /var/lib/hopline \
    && chown hopline:hopline /var/lib/hopline
COPY --from=build /opt/hopline /opt/hopline
COPY config/hopline.example.toml config/people.example.toml /etc/hopline/
ENV PATH=/opt/hopline/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1
USER hopline
WORKDIR /var/lib/hopline
VOLUME /var/lib/hopline
EXPOSE 8080
# Liveness only: a server that has lost its PBX is alive and must not be restarted for it (that is what /readyz says).
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(os.environ.get('HOPLINE_HEALTH_URL', 'http://127.0.0.1:8080/healthz'), timeout=2)"]
CMD ["hopline", "serve", "--config", "/etc/hopline/hopline.toml"]
