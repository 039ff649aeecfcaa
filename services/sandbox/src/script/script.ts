import { DomainError } from '@sejam/event-sourcing';
import { contentKeyOf, isPlatform, type Message, type Platform } from '../order/order.js';
import { answerTypes, behaviours, triggers, type Behaviour } from './behaviour.js';
import { randomNamed } from './random.js';

/** How the six platforms behave, as it stands in a file or a request. Anything not written behaves as `prompt`. */
export interface Script {
  /** The same seed and the same orders give the same answers at the same times. */
  readonly seed: number;
  /** Behaviours of one's own, by name, beside the built-in ones. */
  readonly behaviours?: Readonly<Record<string, Behaviour>>;
  /** By platform; `*` speaks for the platforms that are not named. */
  readonly platforms: Readonly<Partial<Record<Platform | '*', PlatformScript>>>;
}

export interface PlatformScript {
  /** Names of behaviours with their weights. */
  readonly mix?: Readonly<Record<string, number>>;
  /** The first that fits an order decides, before the mix. */
  readonly overrides?: readonly Override[];
  /** `feed`: the platform reads its messages from the clearing house, and answers there with its key. Default: `webhook`. */
  readonly via?: 'webhook' | 'feed';
}

export interface Override {
  readonly orderId?: string;
  readonly contentKey?: string;
  readonly behaviour: string | Behaviour;
}

export const defaultScript: Script = { seed: 1, platforms: { '*': { mix: { prompt: 1 } } } };

/** The behaviour for an order: by override, else drawn from the mix by the order's id. */
export function chooseBehaviour(script: Script, platform: Platform, order: Message): { name: string; behaviour: Behaviour } {
  const { overrides = [], mix = { prompt: 1 } } = platformScript(script, platform);
  const override = overrides.find(({ orderId, contentKey }) =>
    (orderId === undefined || orderId === order.data.orderId) && (contentKey === undefined || contentKey === contentKeyOf(order)));
  if (override) {
    return typeof override.behaviour === 'string' ? named(script, override.behaviour) : { name: 'own', behaviour: override.behaviour };
  }
  const total = Object.values(mix).reduce((sum, weight) => sum + weight, 0);
  let left = randomNamed(`${script.seed}/${order.data.orderId}`)() * total;
  const name = Object.keys(mix).find((one) => (left -= mix[one] ?? 0) < 0);
  return named(script, name ?? 'prompt');
}

export function platformScript(script: Script, platform: Platform): PlatformScript {
  return script.platforms[platform] ?? script.platforms['*'] ?? {};
}

function named(script: Script, name: string): { name: string; behaviour: Behaviour } {
  return { name, behaviour: script.behaviours?.[name] ?? (behaviours as Record<string, Behaviour>)[name] ?? behaviours.prompt };
}

/** Checks a script from outside. Throws `sandbox.script-malformed` with a pointer to the first fault. */
export function readScript(input: unknown): Script {
  const script = object(input, '', ['seed', 'behaviours', 'platforms']);
  if (script['seed'] !== undefined && !Number.isSafeInteger(script['seed'])) throw fault('/seed', 'must be a whole number');
  const own = script['behaviours'] === undefined ? {} : object(script['behaviours'], '/behaviours');
  for (const [name, behaviour] of Object.entries(own)) checkBehaviour(behaviour, `/behaviours/${name}`);
  const known = new Set([...Object.keys(behaviours), ...Object.keys(own)]);
  for (const [platform, part] of Object.entries(object(script['platforms'], '/platforms'))) {
    const place = `/platforms/${platform}`;
    if (platform !== '*' && !isPlatform(platform)) throw fault(place, 'is not one of the six platforms, nor *');
    checkPlatform(object(part, place, ['mix', 'overrides', 'via']), place, known);
  }
  return {
    seed: (script['seed'] as number | undefined) ?? 1,
    ...(script['behaviours'] === undefined ? {} : { behaviours: own as Record<string, Behaviour> }),
    platforms: script['platforms'] as Script['platforms'],
  };
}

function checkPlatform({ mix, overrides, via }: Record<string, unknown>, place: string, known: ReadonlySet<string>): void {
  if (via !== undefined && via !== 'webhook' && via !== 'feed') throw fault(`${place}/via`, 'must be webhook or feed');
  if (mix !== undefined) {
    const weights = Object.entries(object(mix, `${place}/mix`));
    for (const [name, weight] of weights) {
      if (!known.has(name)) throw fault(`${place}/mix/${name}`, `is no behaviour; there are ${[...known].join(', ')}`);
      if (typeof weight !== 'number' || !(weight >= 0)) throw fault(`${place}/mix/${name}`, 'must be a weight of 0 or more');
    }
    if (!weights.some(([, weight]) => (weight as number) > 0)) throw fault(`${place}/mix`, 'must hold a weight above 0');
  }
  for (const [index, item] of list(overrides, `${place}/overrides`).entries()) {
    const at = `${place}/overrides/${index}`;
    const { orderId, contentKey, behaviour } = object(item, at, ['orderId', 'contentKey', 'behaviour']);
    for (const [name, value] of Object.entries({ orderId, contentKey })) if (value !== undefined && typeof value !== 'string') throw fault(`${at}/${name}`, 'must be a text');
    if (typeof behaviour !== 'string') checkBehaviour(behaviour, `${at}/behaviour`);
    else if (!known.has(behaviour)) throw fault(`${at}/behaviour`, `is no behaviour; there are ${[...known].join(', ')}`);
  }
}

function checkBehaviour(input: unknown, place: string): void {
  const { receive, answers } = object(input, place, ['receive', 'answers']);
  for (const [index, item] of list(receive, `${place}/receive`).entries()) {
    const at = `${place}/receive/${index}`;
    const { status, retryAfterSeconds, delaySeconds, hang, reset } = object(item, at, ['status', 'retryAfterSeconds', 'delaySeconds', 'hang', 'reset']);
    if (status !== undefined && !(Number.isInteger(status) && Number(status) >= 200 && Number(status) <= 599)) throw fault(`${at}/status`, 'must be an HTTP status from 200 to 599');
    for (const [name, value] of Object.entries({ retryAfterSeconds, delaySeconds })) if (value !== undefined && !(typeof value === 'number' && value >= 0)) throw fault(`${at}/${name}`, 'must be a number of seconds');
    for (const [name, value] of Object.entries({ hang, reset })) if (value !== undefined && typeof value !== 'boolean') throw fault(`${at}/${name}`, 'must be true or false');
  }
  if (answers === undefined) throw fault(`${place}/answers`, 'is required; an empty list never answers');
  for (const [index, item] of list(answers, `${place}/answers`).entries()) {
    const at = `${place}/answers/${index}`;
    const step = object(item, at, ['on', 'after', 'answer', 'with', 'copies', 'fault']);
    if (!(answerTypes as readonly unknown[]).includes(step['answer'])) throw fault(`${at}/answer`, `must be one of ${answerTypes.join(', ')}`);
    if (step['on'] !== undefined && !(triggers as readonly unknown[]).includes(step['on'])) throw fault(`${at}/on`, `must be one of ${triggers.join(', ')}`);
    if (step['with'] !== undefined) object(step['with'], `${at}/with`);
    if (step['copies'] !== undefined && !(Number.isInteger(step['copies']) && Number(step['copies']) >= 1 && Number(step['copies']) <= 100)) throw fault(`${at}/copies`, 'must be 1 to 100');
    if (step['fault'] !== undefined && step['fault'] !== 'bad_signature' && step['fault'] !== 'stale') throw fault(`${at}/fault`, 'must be bad_signature or stale');
    const delays = Object.entries(object(step['after'], `${at}/after`, ['seconds', 'ofAcknowledge', 'ofResolve']));
    const [from, to] = delays.length === 1 && Array.isArray(delays[0]?.[1]) && delays[0][1].length === 2 ? (delays[0][1] as unknown[]) : [];
    if (!(typeof from === 'number' && typeof to === 'number' && from >= 0 && from <= to)) throw fault(`${at}/after`, 'must be one of seconds, ofAcknowledge or ofResolve with [from, to]');
  }
}

function object(value: unknown, place: string, fields?: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault(place, 'must be an object');
  const unknown = fields && Object.keys(value).find((name) => !fields.includes(name));
  if (unknown !== undefined) throw fault(`${place}/${unknown}`, `is not known; there are ${fields?.join(', ')}`);
  return value as Record<string, unknown>;
}

function list(value: unknown, place: string): unknown[] {
  if (value !== undefined && !Array.isArray(value)) throw fault(place, 'must be a list');
  return value ?? [];
}

function fault(pointer: string, problem: string): DomainError {
  return new DomainError('sandbox.script-malformed', 'invalid', `${pointer === '' ? 'The script' : pointer} ${problem}`, { pointer });
}
