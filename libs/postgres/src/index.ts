export { createPool, isDatabaseUnavailable, tx, type Client, type Log, type Pool, type PoolOptions, type QueryResult } from './pool.js';
export { migrate, postgresMigrations, type Migrations } from './migrate.js';
export { keepLease, LeaseLost, type LeaseKeeper, type LeaseOptions } from './lease.js';
export { adoptCheckpoint, comparePositions, readCheckpoint, saveCheckpoint } from './checkpoint.js';
export { HistoryLost, liesBeyond, refuseLostHistory } from './lost-history.js';
export { runProjection, type Projection, type ProjectionOptions, type ProjectionStatus } from './projection.js';
export { endLeftoverPostgres, startEmbeddedPostgres, type EmbeddedPostgres, type EmbeddedPostgresOptions } from './embedded-postgres.js';
