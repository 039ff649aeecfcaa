import { ValidationPipe, type ArgumentMetadata } from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import { acceptPlainly, type Class } from './accept-plainly.js';
import { escapePointer } from './json-body.js';
import { RequestRefused, type FieldFault } from './problem.js';

const maxFaults = 100;

class InputFaults extends Error {
  constructor(readonly faults: readonly ValidationError[]) {
    super('Input faults');
  }
}

/**
 * Checks bodies, queries and parameters against their classes. Fields that no rule names are refused, not dropped: a client that misspells
 * a field must learn of it. A body that is well-formed JSON but not acceptable is 422; a bad query or path parameter is 400.
 */
export class ValidateInput extends ValidationPipe {
  constructor() {
    super({
      whitelist: true,
      forbidNonWhitelisted: true,
      transform: true,
      stopAtFirstError: false,
      exceptionFactory: (errors) => new InputFaults(errors),
    });
  }

  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    const expectsObject = metadata.type === 'body' && metadata.data === undefined && isClass(metadata.metatype);
    if (expectsObject && value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value))) {
      throw refusal('body', [{ pointer: '', code: 'is-object', detail: 'The body must be a JSON object' }]);
    }
    if (expectsObject) {
      const accepted = acceptPlainly(metadata.metatype as Class, value);
      if (accepted !== undefined) return accepted;
    }
    try {
      return (await super.transform(value, metadata)) as unknown;
    } catch (error) {
      if (!(error instanceof InputFaults)) throw error;
      const faults = [...faultsOf(error.faults, metadata.type === 'body' ? '' : '?')].slice(0, maxFaults);
      throw refusal(metadata.type, faults);
    }
  }
}

function refusal(place: ArgumentMetadata['type'], errors: readonly FieldFault[]): RequestRefused {
  const what = place === 'body' ? 'body' : 'address';
  const count = errors.length === 1 ? 'one fault' : `${errors.length} faults`;
  return new RequestRefused(place === 'body' ? 422 : 400, place === 'body' ? 'request.invalid' : 'request.invalid-parameter', `The ${what} has ${count}, named under errors`, { errors });
}

function* faultsOf(errors: readonly ValidationError[], prefix: string): Generator<FieldFault> {
  for (const error of errors) {
    const pointer = prefix === '?' ? `?${error.property}` : `${prefix}/${escapePointer(error.property)}`;
    for (const [rule, detail] of Object.entries(error.constraints ?? {})) {
      if (rule === 'whitelistValidation') yield { pointer, code: 'unknown-field', detail: `There is no field named ${error.property.slice(0, 64)} here` };
      else if (error.value === undefined) {
        // One sentence for a missing field, whatever number of rules it breaks.
        yield { pointer, code: 'required', detail: `${error.property} is required` };
        break;
      } else yield { pointer, code: rule.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), detail };
    }
    yield* faultsOf(error.children ?? [], pointer);
  }
}

function isClass(type: unknown): boolean {
  return typeof type === 'function' && ![String, Number, Boolean, Array, Object, Buffer].includes(type as never);
}
