# The dashboard, for CPU; with CUDA: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126
FROM python:3.12-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN apt-get update && apt-get install -y --no-install-recommends build-essential git && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/phenviz
ENV PATH=/opt/phenviz/bin:$PATH
RUN pip install --no-cache-dir --index-url "$TORCH_INDEX" torch
COPY . /src
RUN pip install --no-cache-dir /src

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --create-home phenviz && install -d -o phenviz /cache
COPY --from=build /opt/phenviz /opt/phenviz
ENV PATH=/opt/phenviz/bin:$PATH PHENVIZ_CACHE=/cache PYTHONUNBUFFERED=1
USER phenviz
VOLUME /cache
EXPOSE 5006
# a static file: a page would build a session each time
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://localhost:5006/static/js/bokeh.min.js', timeout=4)"]
ENTRYPOINT ["phenviz"]
CMD ["serve", "--no-browser", "--address", "0.0.0.0", "--allow-origin", "localhost:5006"]
