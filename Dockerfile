# Three images: `product`, which every part of docker-compose.yaml runs; `proxy`, which has TLS; and
# `airflow`, which is Airflow's own with our package in it: docker build --target airflow.
# Packages are those of the lock, by their hashes; nothing is installed when a container starts.

FROM python:3.11.13-bookworm AS packages
COPY requirements.txt requirements-uv.txt /tmp/
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes --requirement /tmp/requirements-uv.txt \
    && /venv/bin/uv pip install --no-cache --compile-bytecode --python /venv/bin/python \
        --require-hashes --requirement /tmp/requirements.txt

FROM python:3.11.13-bookworm AS product
COPY requirements-debian.txt /tmp/
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# The names are in a file that the launcher reads as well; the versions are those of the base's Debian.
RUN apt-get update \
    && grep --invert-match '^#' /tmp/requirements-debian.txt \
        | xargs apt-get install --yes --no-install-recommends \
    && rm --recursive /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home automations
COPY --from=packages /venv /venv
COPY LICENSE NOTICE README.md pyproject.toml /app/
COPY api_bridge /app/api_bridge
COPY dags /app/dags
COPY include /app/include
COPY plugins /app/plugins
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app/include:/app/plugins:/app \
    PYTHONDONTWRITEBYTECODE=1 \
    AUTOMATIONS_HOME=/home/automations \
    AUTOMATIONS_HOST=0.0.0.0
RUN python -m compileall -q -j 0 /app
WORKDIR /app
# By its number: Kubernetes cannot see from a name that it is not root.
USER 10001
ENTRYPOINT ["python", "-m", "automations.launcher"]

FROM python:3.11.13-bookworm AS wheel
COPY LICENSE NOTICE README.md pyproject.toml /source/
COPY api_bridge /source/api_bridge
COPY include /source/include
COPY plugins /source/plugins
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM apache/airflow:3.3.2-python3.11 AS airflow
COPY --from=wheel /wheels /wheels
# Airflow itself stays as it is: pip refuses what does not go with it.
RUN pip install --no-cache-dir apache-airflow==3.3.2 /wheels/*.whl
USER 50000

FROM caddy:2.10.2-alpine AS proxy
# In the base they are root's; a volume begins with the owner that its folder has in the image.
RUN adduser -D -u 10002 proxy && chown -R proxy /config /data
COPY deploy/Caddyfile /etc/caddy/Caddyfile
USER 10002
