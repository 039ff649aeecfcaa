import storage from 'class-transformer/cjs/storage.js';
import { getMetadataStorage, ValidateIf } from 'class-validator';
import type { ValidationMetadata } from 'class-validator/types/metadata/ValidationMetadata.js';

type Class = abstract new (...parameters: never[]) => unknown;
type PropertyDescription = Record<string, unknown> & { required: boolean };

/** The field may be left out; unlike class-validator's IsOptional it refuses null, which none of our documents means. */
export function MayBeAbsent(): PropertyDecorator {
  return ValidateIf((_, value) => value !== undefined);
}

/** What @nestjs/swagger asks a class for when it describes it; its compiler plugin would write the same method. */
const metadataFactory = '_OPENAPI_METADATA_FACTORY';

/**
 * Teaches @nestjs/swagger the shape of every class that has validation rules, so that a field is described by the rules it is checked
 * with and by nothing else. Call after all classes are loaded and before a document is made.
 */
export function describeInputs(): void {
  const { validationMetadatas } = getMetadataStorage() as unknown as { readonly validationMetadatas: ReadonlyMap<unknown, readonly ValidationMetadata[]> };
  for (const [target, rules] of validationMetadatas) {
    if (typeof target !== 'function' || Object.hasOwn(target, metadataFactory)) continue;
    const descriptions = propertiesOf(target as Class, rules);
    Object.defineProperty(target, metadataFactory, { value: () => descriptions });
  }
}

function propertiesOf(target: Class, rules: readonly ValidationMetadata[]): Record<string, PropertyDescription> {
  const names = [...new Set(rules.map((rule) => rule.propertyName))];
  return Object.fromEntries(names.map((name) => [name, describe(target, name, rules.filter((rule) => rule.propertyName === name))]));
}

function describe(target: Class, name: string, rules: readonly ValidationMetadata[]): PropertyDescription {
  const isOptional = rules.some((rule) => rule.type === 'conditionalValidation' && mayBeUndefined(rule));
  const isArray = rules.some((rule) => rule.each || rule.name === 'isArray') || designType(target, name) === Array;
  const own: Record<string, unknown> = {};
  const items: Record<string, unknown> = {};
  for (const rule of rules) Object.assign(isArray && rule.each ? items : own, schemaOf(rule));

  const nested = rules.some((rule) => rule.type === 'nestedValidation') ? nestedType(target, name) : undefined;
  if (nested !== undefined) return { ...own, required: !isOptional, type: () => (isArray ? [nested] : nested) };
  if (isArray) return { ...own, required: !isOptional, type: 'array', items: 'type' in items ? items : { type: 'string', ...items } };
  return { ...typeOf(designType(target, name)), ...own, required: !isOptional };
}

function mayBeUndefined(rule: ValidationMetadata): boolean {
  const condition = rule.constraints[0] as (object: object, value: unknown) => boolean;
  try {
    return !condition({}, undefined);
  } catch {
    return true;
  }
}

function designType(target: Class, name: string): unknown {
  return Reflect.getMetadata('design:type', target.prototype as object, name) as unknown;
}

function nestedType(target: Class, name: string): unknown {
  const type = storage.defaultMetadataStorage.findTypeMetadata(target, name);
  return type === undefined ? designType(target, name) : type.typeFunction();
}

function typeOf(type: unknown): Record<string, unknown> {
  if (type === String) return { type: 'string' };
  if (type === Number) return { type: 'number' };
  if (type === Boolean) return { type: 'boolean' };
  if (type === Date) return { type: 'string', format: 'date-time' };
  return { type: 'object', additionalProperties: true };
}

function schemaOf(rule: ValidationMetadata): Record<string, unknown> {
  const [first, second] = (rule.constraints as [unknown?, unknown?] | undefined) ?? [];
  switch (rule.name) {
    case 'isString':
      return { type: 'string' };
    case 'isInt':
      return { type: 'integer' };
    case 'isNumber':
      return { type: 'number' };
    case 'isBoolean':
      return { type: 'boolean' };
    case 'isObject':
      return { type: 'object', additionalProperties: true };
    case 'isLength':
      return { type: 'string', minLength: first, ...(second === undefined ? {} : { maxLength: second }) };
    case 'minLength':
      return { minLength: first };
    case 'maxLength':
      return { maxLength: first };
    case 'isNotEmpty':
      return { minLength: 1 };
    case 'matches':
      return first instanceof RegExp ? { type: 'string', pattern: first.source } : {};
    case 'min':
      return { minimum: first };
    case 'max':
      return { maximum: first };
    case 'isPositive':
      return { exclusiveMinimum: 0 };
    case 'isIn':
      return { enum: first, ...enumType(first) };
    case 'isEnum':
      return { enum: second ?? Object.values(first as object), ...enumType(second) };
    case 'arrayMinSize':
      return { minItems: first };
    case 'arrayMaxSize':
      return { maxItems: first };
    case 'arrayUnique':
      return { uniqueItems: true };
    case 'isUrl':
      return { type: 'string', format: 'uri' };
    case 'isUuid':
      return { type: 'string', format: 'uuid' };
    case 'isIso8601':
    case 'isRFC3339':
    case 'isDateString':
      return { type: 'string', format: 'date-time' };
    default:
      return {};
  }
}

function enumType(values: unknown): Record<string, unknown> {
  return Array.isArray(values) && values.every((value) => typeof value === 'string') ? { type: 'string' } : {};
}
