# The image of Seeknal: `seeknal` with whatever command is given, a worker above all.
#
#   docker build -t seeknal .
#   docker run --rm seeknal version
FROM python:3.11.14-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/seeknal
COPY deploy/constraints.txt deploy/
COPY pyproject.toml README.md ./
COPY seeknal seeknal
COPY worker worker
RUN /opt/seeknal/bin/pip install --constraint deploy/constraints.txt .

FROM python:3.11.14-slim-bookworm

# Who writes the output. On a shared folder, the owner of that folder:
# docker build --build-arg UID=$(id -u) .
ARG UID=10001
ENV PATH=/opt/seeknal/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SEEKNAL_DATA_ROOT=/data
RUN useradd --uid $UID --no-create-home --shell /usr/sbin/nologin seeknal \
    && install --directory --owner seeknal /data
COPY --from=build /opt/seeknal /opt/seeknal
# By its number, so that Kubernetes sees that it is not root.
USER $UID
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["seeknal"]
CMD ["--help"]
