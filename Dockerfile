# ImgSim for docker compose: one image for web, worker and beat. docker build --build-arg REQUIREMENTS=requirements-gpu.lock
# makes the one for worker-gpu and trainer-gpu.
FROM python:3.12-slim AS build
ARG REQUIREMENTS=requirements.lock
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements*.lock /build/
WORKDIR /build
RUN /opt/venv/bin/pip install --require-hashes -r "$REQUIREMENTS" -r requirements-s3.lock


FROM python:3.12-slim
RUN useradd --uid 10001 --create-home imgsim && mkdir /var/lib/imgsim && chown imgsim: /var/lib/imgsim
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 IMGSIM_VAR=/var/lib/imgsim
WORKDIR /app
COPY . .
# Later the folder is not the site's own to write into.
RUN python -m imgsim_site.translations compile
USER imgsim
# The key signs nothing, it only lets the settings load. docker compose does this at each start again, for its volume.
RUN SECRET_KEY=unused DATABASE_URL=postgresql://unused REDIS_URL=redis://unused python manage.py collectstatic --no-input
VOLUME /var/lib/imgsim
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["python", "-m", "imgsim_site.web", "--host", "0.0.0.0", "--workers", "2"]
