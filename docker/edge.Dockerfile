# Runs an exported student, without Keras and TensorFlow: docker build -f docker/edge.Dockerfile -t keras_snnkd_edge .
#   docker run --rm -v "$PWD/saved_models/digits_student":/model:ro -v "$PWD":/work:ro keras_snnkd_edge \
#     /model/model_dynamic.tflite /work/image.png
# Exact versions: requirements/edge.txt.
FROM python:3.11-slim

COPY requirements/edge.txt /tmp/edge.txt
RUN pip install --no-cache-dir -r /tmp/edge.txt

COPY keras_snnkd /src/keras_snnkd
COPY packaging/edge /src/packaging/edge
RUN pip install --no-cache-dir --no-deps /src/packaging/edge && rm -r /src

RUN useradd --create-home device
USER device
WORKDIR /work
ENTRYPOINT ["python", "-m", "keras_snnkd.edge"]
CMD ["--help"]
