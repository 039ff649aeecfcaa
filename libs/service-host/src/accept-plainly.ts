import storage from 'class-transformer/cjs/storage.js';
import { getMetadataStorage, type ValidationArguments, type ValidatorConstraintInterface } from 'class-validator';
import type { ValidationMetadata } from 'class-validator/types/metadata/ValidationMetadata.js';

export type Class = new () => object;
type Accept = (value: unknown) => object | undefined;

interface Field {
  readonly name: string;
  readonly conditions: readonly ((object: object, value: unknown) => boolean)[];
  readonly checks: readonly { readonly constraint: ValidatorConstraintInterface; readonly each: boolean; readonly constraints: unknown[] }[];
  /** Of the class that its value, or each of its items, becomes. */
  readonly nested?: Accept;
}

const readers = new Map<Class, Accept | undefined>();
const underway = new Set<Class>();
/** As class-transformer numbers it. */
const plainToClass = 0;

/**
 * An instance of `type` when `value` keeps all its rules; undefined when it may not, and then class-validator must say what is wrong. The
 * rules are class-validator's own, asked one after the other without the lists that it makes for the faults of a value that has none:
 * nearly every body is good, and the careful way costs more than recording what it says. Classes with anything but plain rules are left to it.
 */
export function acceptPlainly(type: Class, value: unknown): object | undefined {
  return readerOf(type)?.(value);
}

function readerOf(type: Class): Accept | undefined {
  if (!readers.has(type)) {
    if (underway.has(type)) return undefined; // a class within itself
    underway.add(type);
    readers.set(type, compiled(type));
    underway.delete(type);
  }
  return readers.get(type);
}

function compiled(type: Class): Accept | undefined {
  const metadata = getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
  const { defaultMetadataStorage: transforms } = storage;
  if (metadata.length === 0 || transforms.getExposedProperties(type, plainToClass).length > 0 || transforms.getExcludedProperties(type, plainToClass).length > 0) return undefined;
  const names = [...new Set(metadata.map(({ propertyName }) => propertyName))];
  const fields: Field[] = [];
  for (const name of names) {
    const field = fieldOf(type, name, metadata.filter(({ propertyName }) => propertyName === name));
    if (field === undefined) return undefined;
    fields.push(field);
  }
  const byName = new Map(fields.map((field) => [field.name, field]));

  return (value) => {
    if (!isRecord(value)) return undefined;
    const instance = new type() as Record<string, unknown>;
    for (const name of Object.keys(value)) {
      const field = byName.get(name);
      if (field === undefined) return undefined;
      const given = value[name];
      const taken = field.nested === undefined ? given : nested(field.nested, given);
      if (taken === undefined && given !== undefined) return undefined;
      instance[name] = taken;
    }
    return fields.every((field) => keeps(field, instance, type)) ? instance : undefined;
  };
}

function fieldOf(type: Class, name: string, rules: readonly ValidationMetadata[]): Field | undefined {
  const conditions: Field['conditions'][number][] = [];
  const checks: Field['checks'][number][] = [];
  let isNested = false;
  for (const rule of rules) {
    if ((rule.groups?.length ?? 0) > 0 || rule.validateIf !== undefined) return undefined;
    if (rule.type === 'conditionalValidation') conditions.push(rule.constraints[0] as Field['conditions'][number]);
    else if (rule.type === 'nestedValidation') isNested = true;
    else if (rule.type === 'customValidation') {
      for (const { instance, async } of getMetadataStorage().getTargetValidatorConstraints(rule.constraintCls)) {
        if (async) return undefined;
        checks.push({ constraint: instance, each: rule.each === true, constraints: rule.constraints });
      }
    } else return undefined;
  }
  const { defaultMetadataStorage: transforms } = storage;
  const typed = transforms.findTypeMetadata(type, name);
  if (transforms.findTransformMetadatas(type, name, plainToClass).length > 0 || isNested !== (typed !== undefined)) return undefined;
  if (typed === undefined) return { name, conditions, checks };
  const inner = typed.options?.discriminator === undefined ? readerOf(typed.typeFunction() as Class) : undefined;
  return inner === undefined ? undefined : { name, conditions, checks, nested: inner };
}

function nested(accept: Accept, value: unknown): unknown {
  if (!Array.isArray(value)) return accept(value);
  const items = value.map(accept);
  return items.includes(undefined) ? undefined : items;
}

function keeps({ name, conditions, checks }: Field, object: Record<string, unknown>, { name: targetName }: Class): boolean {
  const value = object[name];
  if (!conditions.every((condition) => condition(object, value))) return true;
  return checks.every(({ constraint, each, constraints }) => {
    const args: ValidationArguments = { targetName, property: name, object, value, constraints };
    // Only a plain yes counts: a promise does not.
    return each && Array.isArray(value) ? value.every((item) => constraint.validate(item, args) === true) : constraint.validate(value, args) === true;
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
