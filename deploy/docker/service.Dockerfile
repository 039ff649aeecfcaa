# One image for every service: `docker build -f deploy/docker/service.Dockerfile --build-arg SERVICE=intake .`
# SERVICE is a folder of services/, or `bootstrap` for the first start, `backup`, `restore`, or `keys` for the commands of sejam-keys.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY . .
RUN npm ci --loglevel=error && node node_modules/typescript/bin/tsc -b && npm prune --omit=dev --loglevel=error

FROM node:24-bookworm-slim
ARG SERVICE
ENV SERVICE=${SERVICE} NODE_ENV=production HOST=0.0.0.0 PORT=8080 INTERNAL_PORT=9090
WORKDIR /app
COPY --from=build --chown=node:node /app /app
USER node
EXPOSE 8080 9090
ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "--disable-warning=TimeoutNegativeWarning", "deploy/docker/start-service.mjs"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=6 \
  CMD ["node", "deploy/docker/check-health.mjs"]
