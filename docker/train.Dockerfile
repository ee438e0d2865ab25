# Trains, distils and exports: docker build -f docker/train.Dockerfile -t keras_snnkd .
#   docker run --rm -v "$PWD":/work keras_snnkd --dataset digits
# Runs, finished students and your own data are in /work, which is your folder. Exact versions: requirements/train.txt.
FROM python:3.11-slim

COPY requirements/train.txt /tmp/train.txt
RUN pip install --no-cache-dir -r /tmp/train.txt

COPY pyproject.toml README.md LICENSE /src/
COPY keras_snnkd /src/keras_snnkd
RUN pip install --no-cache-dir --no-deps /src && rm -r /src

RUN useradd --create-home trainer
USER trainer
WORKDIR /work
ENV TF_CPP_MIN_LOG_LEVEL=2
ENTRYPOINT ["keras-snnkd"]
CMD ["--help"]
