// Healthy means ready: 200, also while only the bus is away.
const { status } = await fetch(`http://127.0.0.1:${process.env.PORT ?? 8080}/health/ready`).catch(() => ({ status: 0 }));
process.exit(status === 200 ? 0 : 1);
