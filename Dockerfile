# syntax=docker/dockerfile:1

# Compiling needs the development packages; the image does not.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY sdk/package.json sdk/package.json
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY sdk sdk
COPY build build
COPY console console
# What GET / on the operators' port answers: --build-arg COMMIT=$(git rev-parse HEAD)
ARG COMMIT=unknown
RUN npm run build && npm prune --omit=dev && npm pkg set gitHead=$COMMIT

# The node binary on a bare Debian: no npm, no compiler, nothing to install packages with.
FROM debian:bookworm-slim
# Node 24 lets its young generation grow four times as far as Node 20 and 22 do: 90 MiB more under load, for no speed.
ENV NODE_ENV=production \
    NODE_OPTIONS=--max-semi-space-size=16 \
    STATIONGATE_BROKER_EMBEDDED_DIR=/data
RUN install -d -o 65532 -g 65532 -m 0700 /data
COPY --from=build /usr/local/bin/node /usr/local/bin/node
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY deploy/healthcheck.mjs ./
# The root file system may be read-only: the embedded log and the first start's identity are all that is written.
VOLUME ["/data"]
EXPOSE 4444 4445
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "healthcheck.mjs"]
CMD ["node", "dist/main.js"]
