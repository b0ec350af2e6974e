# Training and scoring in a container; on GPUs with the NVIDIA container toolkit:
#   docker build --tag sdsiqa .
#   docker run --rm --gpus all --shm-size 2g --user "$(id -u):$(id -g)" --volume "$PWD:/work" sdsiqa score photo.jpg --checkpoint best.ckpt
# Loader workers hand batches over in shared memory, of which a container has 64 MB unless told otherwise (--shm-size).
# torch's own wheels bring CUDA, so no image of a GPU vendor is needed beneath them. There is no C compiler in it, which
# torch.compile (model.compile) would need.
ARG PYTHON=3.11
FROM python:${PYTHON}-slim-bookworm AS build

# torch and torchvision must come from one index: the plain one, or another that has both (a mirror, a CUDA or CPU build).
# The exact pins name no local build, so another index may need other constraints: --build-arg CONSTRAINTS=
ARG INDEX=https://pypi.org/simple
ARG CONSTRAINTS=constraints.txt

RUN python -m venv /opt/sdsiqa
ENV PATH=/opt/sdsiqa/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source

# the large layer first: it changes with the pair's versions only
COPY constraints.txt ./
# constraints.txt pins every version, which the linter cannot see
# hadolint ignore=DL3013
RUN pip install --index-url "${INDEX}" ${CONSTRAINTS:+--constraint "${CONSTRAINTS}"} torch torchvision
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
# hadolint ignore=DL3013
RUN pip install ${CONSTRAINTS:+--constraint "${CONSTRAINTS}"} ".[demo,onnx]" \
 && python -W ignore -c "import torch, torchvision, timm, lightning, sdsiqa"

FROM python:${PYTHON}-slim-bookworm
LABEL org.opencontainers.image.title="sdsiqa" org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --create-home --uid 1000 sdsiqa && install --directory --owner sdsiqa /work
COPY --from=build /opt/sdsiqa /opt/sdsiqa
COPY configs /opt/sdsiqa/configs
# HOME for any --user
ENV PATH=/opt/sdsiqa/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000
WORKDIR /work
ENTRYPOINT ["sdsiqa"]
CMD ["--help"]
