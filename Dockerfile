# The service in an image. `docker compose up` builds and runs it; so does
#   docker build -t precis . && docker run --read-only --tmpfs /tmp -v precis:/data -p 127.0.0.1:8000:8000 precis
# Who publishes an image says what it was made of and when:
#   docker build --build-arg REVISION=$(git rev-parse HEAD) --build-arg CREATED=$(date -u +%FT%TZ) --build-arg SOURCE=URL .
FROM python:3.13-slim-trixie AS base
ENV PIP_CACHE_DIR=/var/cache/pip \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1


# The libraries: exactly those of the lock, and none that would have to be compiled.
FROM base AS libraries
WORKDIR /build
COPY requirements/runtime.lock ./
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv --without-pip /opt/precis \
 && python -m pip --python /opt/precis/bin/python install --quiet --require-hashes --only-binary :all: -r runtime.lock


# The wheel: built once, by hatchling and what it needs, as the lock of the developers has them.
FROM base AS wheel
WORKDIR /build
COPY requirements/dev.lock ./
RUN --mount=type=cache,target=/var/cache/pip \
    awk '/^[a-z]/ {wanted = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/} wanted' dev.lock >build.lock \
 && python -m venv --without-pip /opt/builder \
 && python -m pip --python /opt/builder/bin/python install --quiet --require-hashes --only-binary :all: -r build.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY prompts ./prompts
COPY seeds ./seeds
COPY service ./service
RUN /opt/builder/bin/python -m hatchling build -t wheel -d /dist


FROM base AS service
# The official image comes without the byte code of the standard library, and under a read-only root none is kept: every
# start and every health check would compile it again.
RUN python -c 'import compileall, sysconfig; compileall.compile_dir(sysconfig.get_path("stdlib"), quiet=2)' \
 && groupadd --gid 10001 precis \
 && useradd --uid 10001 --gid precis --no-create-home --home-dir /data --shell /usr/sbin/nologin precis \
 && install --directory --owner precis --group precis --mode 0750 /data
# In a layer of their own, so that a change of source moves only a few megabytes.
COPY --from=libraries /opt/precis /opt/precis
RUN --mount=type=bind,from=wheel,source=/dist,target=/dist \
    python -m pip --python /opt/precis/bin/python install --quiet --no-cache-dir --no-index --no-deps /dist/*.whl

ENV PATH=/opt/precis/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PRECIS_DATABASE_URL=sqlite:////data/precis.db \
    PRECIS_HOST=0.0.0.0 \
    PRECIS_PORT=8000 \
    PRECIS_LOG_FORMAT=json \
    PRECIS_LOG_STREAM=stdout
# A relative path in a setting, such as sqlite:///mine.db, lands in the volume.
WORKDIR /data
USER 10001:10001
EXPOSE 8000
# Running summaries get PRECIS_DRAIN_S to finish.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; ready = http.client.HTTPConnection('127.0.0.1', int(os.environ['PRECIS_PORT']), timeout=3); ready.request('GET', '/ready'); sys.exit(ready.getresponse().status != 200)"]
ENTRYPOINT ["precis"]
CMD ["serve"]

# Last, so that another moment or revision changes no layer.
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=
LABEL org.opencontainers.image.title="Précis" \
      org.opencontainers.image.description="Summaries that a reader can check: every point carries exact quotes with offsets into its source." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.authors="The Précis authors" \
      org.opencontainers.image.vendor="The Précis authors" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.url="${SOURCE}" \
      org.opencontainers.image.documentation="${SOURCE}" \
      org.opencontainers.image.ref.name="precis:${VERSION}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim-trixie"
