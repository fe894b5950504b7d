# Receiver, worker and rehearsal Intercom: one image, the command says which.
FROM python:3.11.13-slim-bookworm

WORKDIR /app
COPY .ci/uv.txt .ci/uv.txt
RUN pip install --no-cache-dir --require-hashes -r .ci/uv.txt

COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-dev --no-cache --no-install-project

COPY contracts contracts
COPY streams streams
COPY agents agents
COPY backtests backtests
COPY rehearsal rehearsal
COPY console console
COPY policies policies
RUN uv sync --frozen --no-dev --no-cache \
    && groupadd --system --gid 10001 concierge && useradd --system --uid 10001 --gid 10001 --home-dir /app concierge \
    && install -d -o concierge -g concierge /data

# Nothing is written but /data and /tmp, so that the root may be read-only.
ENV PATH="/app/.venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CONCIERGE_DATA_DIR=/data CONCIERGE_METRICS_PORT=9091
USER 10001:10001
VOLUME /data
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/live' % os.environ['CONCIERGE_METRICS_PORT'], timeout=4)"]
ENTRYPOINT ["concierge"]
CMD ["--help"]
