# Receiver, worker and rehearsal Intercom: one image, the command says which.
FROM python:3.11-slim

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
    && useradd --system --uid 10001 --home-dir /app concierge \
    && install -d -o concierge -g concierge /data

ENV PATH="/app/.venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CONCIERGE_DATA_DIR=/data
USER concierge
VOLUME /data
ENTRYPOINT ["concierge"]
CMD ["--help"]
