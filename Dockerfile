FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/ requirements/
# Of the extras: `semantic` adds a voice to the second opinion (120 MB), `learn` the command of that name (250 MB),
# `fulltext` the reading of articles' pages (80 MB).
ARG EXTRAS=""
# hadolint ignore=SC2086
RUN python -m venv /opt/venv \
 && for set in run $EXTRAS; do \
      /opt/venv/bin/pip install --no-cache-dir --require-hashes -r requirements/$set.lock || exit 1; \
    done \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.lock
COPY . .
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --no-index -w /wheel . \
 && /opt/venv/bin/pip install --no-cache-dir --no-deps --no-index /wheel/*.whl \
 # The tables that come with it are another Python's, and on a read-only root it would make its own at each start.
 && /opt/venv/bin/python -c "import luqum.parser"

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
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
