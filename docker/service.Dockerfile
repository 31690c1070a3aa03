# The images of web, solver, grader and operator, selected by `--target` and SERVICE. Each has only its own locked
# requirements and workspace members, and is rebuilt only when one of those changes. `dev` is any of them with writable
# sources.
#
#   docker build -f docker/service.Dockerfile --target web --build-arg SERVICE=web --build-arg MEMBER=services/papers .
#   docker build -f docker/service.Dockerfile --target solver --build-arg SERVICE=solver .
#   docker build -f docker/service.Dockerfile --target grader --build-arg SERVICE=grader --build-arg MEMBER=services/web .
#   docker build -f docker/service.Dockerfile --target operator \
#     --build-arg SERVICE=operator --build-arg OWN=operator --build-arg LOG=services/core .
#
# PYTHON_IMAGE may be any image with Python 3.11, BUILD_IMAGE any with its venv module.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG BUILD_IMAGE=${PYTHON_IMAGE}

FROM ${BUILD_IMAGE} AS packages
ARG SERVICE
# The members that the service depends on. A COPY cannot be conditional; a service that needs fewer copies core again.
ARG OWN=services/${SERVICE}
ARG MEMBER=services/core
ARG LOG=services/answerlog
WORKDIR /build
RUN python3.11 -m venv tools && python3.11 -m venv --without-pip /opt/exam
COPY requirements/build.txt requirements/${SERVICE}.txt requirements/
RUN tools/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/build.txt \
 && tools/bin/pip --python /opt/exam/bin/python install --quiet --no-cache-dir --disable-pip-version-check \
    --require-hashes --only-binary=:all: -r requirements/${SERVICE}.txt
COPY services/core sources/services/core
COPY services/runtime sources/services/runtime
COPY ${LOG} sources/${LOG}
COPY ${MEMBER} sources/${MEMBER}
COPY ${OWN} sources/${OWN}
RUN for project in $(find sources -name pyproject.toml); do \
      tools/bin/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w wheels \
        "$(dirname "$project")" || exit 1; \
    done \
 && tools/bin/pip --python /opt/exam/bin/python install --quiet --disable-pip-version-check --no-deps --no-index wheels/*.whl

FROM ${PYTHON_IMAGE} AS runtime
ARG SERVICE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="exam-${SERVICE}" \
      org.opencontainers.image.description="The exam platform's ${SERVICE}" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=packages /opt/exam /opt/exam
ENV PATH=/opt/exam/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LC_ALL=C.UTF-8 \
    TZ=UTC
# A user name for the uid: Kopf calls Python's getpass, which fails without one.
RUN echo "exam:x:10001:10001::/tmp:/usr/sbin/nologin" >> /etc/passwd && echo "exam:x:10001:" >> /etc/group
WORKDIR /
USER 10001:10001
ENTRYPOINT ["python", "-m"]

FROM runtime AS solver
EXPOSE 8000
CMD ["exam_solver", "--host", "::", "--port", "8000"]

FROM runtime AS grader
ENV EXAM_METRICS_PORT=9100
EXPOSE 9100
CMD ["exam_grader", "worker"]

FROM runtime AS operator
EXPOSE 8080
CMD ["exam_operator"]

FROM runtime AS web
ARG SERVICE
ENV DJANGO_SETTINGS_MODULE=exam_web.settings \
    EXAM_STATIC_ROOT=/opt/exam/static
USER 0
# collectstatic loads the settings, which require addresses; these are placeholders. The legacy builder runs this stage for
# `dev` too, also for services without Django.
RUN test "${SERVICE}" != web \
 || EXAM_COMPONENT=grader EXAM_DATABASE_URL=postgresql://none@none/none EXAM_REDIS_URL=redis://none \
    python -m exam_web collectstatic --no-input --verbosity 0
USER 10001:10001
EXPOSE 8000 8001
CMD ["gunicorn", "--config", "python:exam_web.gunicorn", "exam_web.wsgi:application"]

# Sources on the PYTHONPATH that may be overwritten: the process is reloaded when a file changes.
FROM web AS dev
USER 0
COPY requirements/reload.txt /tmp/reload.txt
COPY --from=packages /build/tools /build/tools
RUN /build/tools/bin/pip --python /opt/exam/bin/python install --quiet --no-cache-dir --disable-pip-version-check \
    --require-hashes --only-binary=:all: -r /tmp/reload.txt
COPY --from=packages --chown=10001:10001 /build/sources /src
ENV PYTHONPATH=/src/services/core/src:/src/services/runtime/src:/src/services/answerlog/src:/src/services/web/src:/src/services/solver/src:/src/services/grader/src:/src/operator/src
USER 10001:10001
