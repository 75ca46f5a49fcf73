# One image for the API, the dispatcher, the workers and the migration; docker-compose.yml says which command each runs.
ARG BASE=python:3.12-slim
FROM ${BASE}

# Set to PyTorch's CPU wheels for machines without a GPU: --build-arg TORCH_INDEX=URL
ARG TORCH_INDEX=

WORKDIR /srv/mmix
RUN python3 -m venv /opt/mmix
ENV PATH=/opt/mmix/bin:$PATH PYTHONUNBUFFERED=1

COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY mmix mmix
COPY api api
COPY worker worker
COPY migrations migrations
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url $TORCH_INDEX} --constraint constraints.txt .

RUN useradd --create-home --uid 10001 mmix && mkdir -p /data /artifacts && chown mmix /data /artifacts
USER mmix
ENV MMIX_DATA=/data MMIX_ARTIFACTS=/artifacts
CMD ["mmix", "--help"]
