FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/ requirements/
# The libraries, as the lock has them, without what no program reads when it runs: symbols for debuggers, headers and
# archives for compilers, types for checkers, OpenCC's own programs, and of the 500 languages that Pygments could colour
# (Rich brings it along) all but Python. With pip, which is taken out below, that is 45 MB of 110.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends binutils && rm -rf /var/lib/apt/lists/* \
 && python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r requirements/run.lock \
 && find /opt/venv -name '*.so' -exec strip --strip-unneeded {} + \
 && find /opt/venv -type f \( -name '*.a' -o -name '*.h' -o -name '*.hpp' -o -name '*.pyi' -o -name '*.pyx' \
      -o -name '*.pxd' -o -path '*/opencc/clib/bin/*' \) -delete \
 && find /opt/venv -path '*/pygments/lexers/*' -type f \
      ! -name '__init__.*' ! -name '_mapping.*' ! -name 'python.*' ! -name 'special.*' -delete
# Of the extras: `semantic` adds a voice to the second opinion (120 MB), `learn` the command of that name (250 MB),
# `fulltext` the reading of articles' pages (80 MB), `apprise` digests in chats (25 MB), `cluster` judging on a Dask
# cluster (50 MB; its workers run the same image: `--entrypoint dask`). They stay as they come.
ARG EXTRAS=""
RUN python -m venv --without-pip /opt/build \
 && pip --python /opt/build/bin/python install --no-cache-dir --require-hashes -r requirements/build.lock \
 && for set in $EXTRAS; do \
      pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r "requirements/$set.lock" || exit 1; \
    done
COPY . .
RUN pip --python /opt/build/bin/python wheel --no-cache-dir --no-deps --no-build-isolation --no-index -w /wheel . \
 && pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --no-index /wheel/*.whl \
 # For a command of its own, sqlite-utils brings along what would install packages.
 && pip --python /opt/venv/bin/python uninstall -y pip \
 # The tables that come with it are another Python's, and on a read-only root it would make its own at each start.
 && /opt/venv/bin/python -c "import luqum.parser"

FROM python:3.13-slim AS worker
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="rift-monitor" \
      org.opencontainers.image.description="Watches RSS and Atom feeds for news of Microsoft and OpenAI, in English and Chinese, and mails a digest" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION"
# MALLOC_ARENA_MAX: else each thread may have a heap of its own, which keeps what one poll or edition needed.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    MONITOR_CONFIG=/app/feeds.yaml \
    MONITOR_DATA=/data
RUN groupadd --gid 10001 app \
 && useradd --uid 10001 --gid app --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app \
 && install -d -o app -g app -m 0750 /data
COPY --from=build /opt/venv /opt/venv
# To be replaced by bind mounts: these are what people edit.
COPY feeds.yaml /app/feeds.yaml
COPY docs/feeds.schema.json /app/docs/feeds.schema.json
COPY templates/ /app/templates/
WORKDIR /app
USER 10001:10001
VOLUME /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=10s --start-period=60s --start-interval=3s --retries=3 CMD ["monitor", "health"]
ENTRYPOINT ["monitor"]
CMD ["run"]

# The demo of compose.yaml: the same, and a mail server with a mailbox. Built only when it is asked for by name.
FROM python:3.13-slim AS mailbox
COPY requirements/demo.lock /demo.lock
RUN pip install --no-cache-dir --require-hashes --target /opt/demo -r /demo.lock

FROM worker AS demo
LABEL org.opencontainers.image.title="rift-monitor-demo"
ENV PYTHONPATH=/opt/demo
COPY --from=mailbox /opt/demo /opt/demo
ENTRYPOINT ["python", "-m", "monitor.demo"]
CMD ["mailbox"]

FROM worker
