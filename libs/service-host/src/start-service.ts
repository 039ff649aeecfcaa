import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { createServer, STATUS_CODES, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { DynamicModule, Type } from '@nestjs/common';
import { ModulesContainer, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { connectBus, type BusTransport } from '@sejam/bus';
import { AccessGuard, defineAccess, type AccessRow, type RequestWithCaller } from './access.js';
import type { HostConfig } from './config.js';
import { Health, type HealthOptions } from './health.js';
import { IdentityDirectory } from './identity-directory.js';
import { acceptJsonOnly } from './json-body.js';
import { nestLogger, type Logger } from './logger.js';
import { Metrics } from './metrics.js';
import { openApiOf, type Answers } from './openapi.js';
import { ProblemFilter } from './problem-filter.js';
import { problemOf, RequestRefused } from './problem.js';
import { RateLimiter } from './rate-limit.js';
import { contextFromHeaders, withContext, type RequestContext } from './request-context.js';
import { refuseUntypedBodies } from './untyped-bodies.js';
import { ValidateInput } from './validate-input.js';

export interface ServiceOptions {
  readonly name: string;
  /** `XModule.with(ports)`. */
  readonly module: DynamicModule | Type;
  readonly config: HostConfig;
  readonly log: Logger;
  readonly metrics?: Metrics;
  /** Every address of the module's controllers, with who may call it. */
  readonly access: readonly AccessRow[];
  /** For the API's description: `readAnswers(new URL('../answers.json', import.meta.url))`. */
  readonly answers?: Answers;
  readonly directory?: IdentityDirectory;
  readonly onKeyUsed?: (keyId: string, at: Date) => void;
  readonly readiness: HealthOptions['readiness'];
  readonly bus?: HealthOptions['bus'];
  readonly record?: HealthOptions['record'];
  readonly parts?: HealthOptions['parts'];
  /** Transports whose messages the module's `@EventPattern` methods handle. */
  readonly transports?: readonly BusTransport[];
  /** Addresses that accept a body of 8 MiB. */
  readonly batchPaths?: readonly string[];
  /** It listens where anybody may come: `/internal/…` is not served. */
  readonly exposed?: boolean;
  /** Given along with every 201: what the one who recorded something may hold against the record later. */
  readonly createdHeaders?: () => Readonly<Record<string, string>>;
  /** How long requests in flight may take at the end before their connections are cut. */
  readonly graceMs?: number;
}

export interface RunningService {
  readonly app: NestFastifyApplication;
  readonly url: string;
  readonly internalUrl: string;
  readonly openApi: OpenAPIObject;
  readonly access: readonly AccessRow[];
  /** Finishes requests in flight, then ends the module. May be called again: same promise. */
  close(): Promise<void>;
}

const defaultBatchPaths = ['/v1/reports/batch'];
const hostPaths = ['/health/live', '/health/ready', '/internal/openapi.json'];

/** A running HTTP service, all of it but the process: used by `runService` and by tests. Resolves when it listens. */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { name, config, log, metrics = new Metrics(name), directory = new IdentityDirectory(), graceMs = 10_000 } = options;
  const access = defineAccess(options.access);
  const routes: { method: string; path: string }[] = [];
  const health = new Health({ service: name, readiness: options.readiness, bus: options.bus, record: options.record, parts: options.parts });
  const filter = new ProblemFilter(log, metrics, (path) => methodsAt(routes, path));
  const guard = new AccessGuard({
    rows: access,
    directory,
    keyLimiter: new RateLimiter(config.requestsPerSecond, config.rateBurst),
    webhookLimiter: new RateLimiter(config.webhooksPerSecond, config.rateBurst),
    onKeyUsed: options.onKeyUsed,
  });
  let closing = false;

  const contexts = new WeakMap<object, RequestContext>();
  const adapter = new FastifyAdapter({
    logger: false,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    requestTimeout: 60_000,
    routerOptions: { maxParamLength: 512 },
    genReqId: (raw) => {
      const context = contextFromHeaders(raw.headers);
      contexts.set(raw, context);
      return context.requestId;
    },
    clientErrorHandler: refuseUnreadable,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => filter.answer(error, request, reply),
  } as ConstructorParameters<typeof FastifyAdapter>[0]);
  const instance = adapter.getInstance<FastifyInstance>();
  acceptJsonOnly(instance, options.batchPaths ?? defaultBatchPaths, access.filter(({ roles }) => roles === 'signature').map(({ path }) => path));
  instance.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) routes.push({ method, path: route.url });
  });
  instance.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    withContext(contexts.get(request.raw) ?? {}, done);
  });
  instance.addHook('onRequest', (request: RequestWithCaller, _reply, done) => {
    try {
      if (closing && !hostPaths.includes(request.routeOptions.url ?? '')) {
        throw new RequestRefused(503, 'service.closing', 'This instance is shutting down; the request may be repeated', { headers: { 'retry-after': '2', connection: 'close' } });
      }
      guard.admit(request);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  // Reading the body resumes in the socket's context, not in the request's.
  instance.addHook('preHandler', (request, _reply, done) => withContext(contexts.get(request.raw) ?? {}, done));
  // A connection kept alive after the last answer would keep the end waiting.
  instance.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) void reply.header('connection', 'close');
    done(null, payload);
  });
  const { createdHeaders } = options;
  if (createdHeaders !== undefined) {
    instance.addHook('onSend', (_request, reply, payload, done) => {
      if (reply.statusCode === 201) void reply.headers(createdHeaders());
      done(null, payload);
    });
  }
  instance.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    const seconds = reply.elapsedTime / 1000;
    metrics.requests.observe({ method: request.method, route, status: String(reply.statusCode) }, seconds);
    withContext(contexts.get(request.raw) ?? {}, () => log.debug({ method: request.method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'answered'));
    done();
  });

  const app = await NestFactory.create<NestFastifyApplication>(options.module, adapter, { bodyParser: false, abortOnError: false, logger: nestLogger(log) });
  app.useGlobalPipes(new ValidateInput());
  app.useGlobalFilters(filter);
  for (const transport of options.transports ?? []) connectBus(app, transport);

  let openApi: OpenAPIObject | undefined;
  instance.get('/health/live', (_request, reply) => reply.send({ status: 'live', service: name }));
  instance.get('/health/ready', async (_request, reply) => {
    const report = await health.report();
    return reply.status(report.status === 'unavailable' ? 503 : 200).headers(report.status === 'unavailable' ? { 'retry-after': '2' } : {}).send(report);
  });
  if (options.exposed !== true) instance.get('/internal/openapi.json', (_request, reply) => reply.send(openApi));

  const internal = internalServer(health, metrics, name);
  try {
    await app.init();
    refuseUntypedBodies(app.get(ModulesContainer));
    refuseUnlistedRoutes(access, routes);
    openApi = openApiOf(app, { service: name, access, ...(options.answers === undefined ? {} : { answers: options.answers }) });
    await app.startAllMicroservices();
    await listen(internal, config.internalPort, config.host);
    await app.listen({ port: config.port, host: config.host });
  } catch (error) {
    await Promise.allSettled([app.close(), stop(internal)]);
    throw error;
  }

  const url = addressOf(app.getHttpServer());
  const internalUrl = addressOf(internal);
  log.info({ url, internalUrl }, `${name} listens`);

  const close = async (): Promise<void> => {
    closing = true;
    health.close();
    const cut = setTimeout(() => (app.getHttpServer()).closeAllConnections(), graceMs);
    try {
      await app.close();
    } finally {
      clearTimeout(cut);
      await stop(internal);
      metrics.registry.clear();
    }
  };
  let closed: Promise<void> | undefined;
  return { app, url, internalUrl, openApi, access, close: () => (closed ??= close()) };
}

/** What the HTTP parser itself refuses has no request and no reply; it gets a problem document all the same. */
function refuseUnreadable(error: Error & { code?: string }, socket: Socket): void {
  const { problem } = problemOf(unreadable(error.code), randomUUID());
  const body = JSON.stringify(problem);
  if (socket.writable && error.code !== 'ECONNRESET') {
    socket.write(`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}\r\ncontent-type: application/problem+json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
  }
  socket.destroySoon();
}

function unreadable(code: string | undefined): RequestRefused {
  if (code === 'HPE_HEADER_OVERFLOW') return new RequestRefused(431, 'request.too-large', 'The headers are larger than this server accepts');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new RequestRefused(408, 'request.too-slow', 'The request did not arrive in time');
  return new RequestRefused(400, 'request.malformed', 'This is not an HTTP request');
}

/** A route that nobody thought about must not be reachable; a row whose route has gone must not look like protection. */
function refuseUnlistedRoutes(access: readonly AccessRow[], routes: readonly { method: string; path: string }[]): void {
  const served = new Set(routes.filter(({ method, path }) => !['HEAD', 'OPTIONS'].includes(method) && !hostPaths.includes(path)).map(({ method, path }) => `${method} ${trimmed(path)}`));
  const listed = new Set(access.map(({ method, path }) => `${method} ${trimmed(path)}`));
  const unlisted = [...served].filter((route) => !listed.has(route));
  const unserved = [...listed].filter((route) => !served.has(route));
  if (unlisted.length > 0) throw new Error(`The access table has no row for ${unlisted.join(', ')}`);
  if (unserved.length > 0) throw new Error(`The access table has rows for addresses that no controller serves: ${unserved.join(', ')}`);
}

function methodsAt(routes: readonly { method: string; path: string }[], path: string): readonly string[] {
  const wanted = trimmed(path).split('/');
  const fits = (pattern: string): boolean => {
    const parts = trimmed(pattern).split('/');
    return parts.length === wanted.length && parts.every((part, index) => (part.startsWith(':') ? wanted[index] !== '' : part === wanted[index]));
  };
  return [...new Set(routes.filter((route) => fits(route.path)).map((route) => route.method))].sort();
}

const trimmed = (path: string): string => (path.length > 1 ? path.replace(/\/+$/, '') : path);

/** Metrics and health, on a port that is never published: figures tell more than strangers should know. */
function internalServer(health: Health, metrics: Metrics, name: string): Server {
  return createServer((request, response) => {
    const send = (status: number, type: string, body: string) => response.writeHead(status, { 'content-type': type }).end(body);
    const answer = async () => {
      if (request.url === '/metrics') return send(200, metrics.registry.contentType, await metrics.registry.metrics());
      if (request.url === '/health/live') return send(200, 'application/json', JSON.stringify({ status: 'live', service: name }));
      if (request.url === '/health/ready') {
        const report = await health.report();
        return send(report.status === 'unavailable' ? 503 : 200, 'application/json', JSON.stringify(report));
      }
      return send(404, 'text/plain', 'There is nothing at this address\n');
    };
    answer().catch(() => send(500, 'text/plain', 'The figures could not be collected\n'));
  });
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) return resolve();
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
