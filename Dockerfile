# The server, with its compiler and jail. compose.yaml says which rights the jail needs.
FROM debian:trixie-slim

RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        bubblewrap clang-19 libbpf-dev linux-libc-dev llvm-19 python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin coreplay \
    && install -d -o coreplay -g coreplay /data

WORKDIR /app

# Requirements first: they change less often than the code.
COPY requirements requirements
RUN python3 -m venv .venv \
    && .venv/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt

COPY . .
RUN .venv/bin/pip install --no-cache-dir --no-index --no-deps --no-build-isolation -e . \
    && .venv/bin/python -m compileall -q app engine

ENV COREPLAY_HOST=0.0.0.0 COREPLAY_PORT=8000 COREPLAY_DATA=/data PYTHONUNBUFFERED=1
USER coreplay
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD [".venv/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD [".venv/bin/coreplay", "serve"]
