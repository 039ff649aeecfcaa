// Writes services/<name>/answers.json: what each address answers, as JSON schemas made of the return types of the controllers' methods, so
// that the API's description says what the code does. Part of `npm run generate`; with --check it only says which files are out of date.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');
// The gateway describes by hand what it answers itself.
const services = readdirSync(join(root, 'services')).filter((name) => name !== 'gateway' && existsSync(join(root, 'services', name, 'src/access.ts')));
const verbs = new Set(['Get', 'Post', 'Put', 'Delete']);

const { config } = ts.readConfigFile(join(root, 'tsconfig.spec.json'), ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const roots = [...services.map((name) => `services/${name}/src/main.ts`), 'libs/service-host/src/index.ts'].map((path) => join(root, path));
const program = ts.createProgram(roots, { ...options, noEmit: true });
const checker = program.getTypeChecker();

const stale = [];
for (const service of services) {
  const schemas = new Map();
  const operations = {};
  const own = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(join(root, 'services', service, 'src')));
  const shared = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(join(root, 'libs/service-host/src')));
  const parks = own.some(({ text }) => text.includes('parkedAccess'));
  for (const source of parks ? [...own, ...shared] : own) {
    for (const [name, answer] of answersIn(source, schemas)) operations[name] = answer;
  }
  const written = Object.fromEntries([...schemas].map(([name, { schema }]) => [name, schema]));
  const text = `${JSON.stringify({ operations: sorted(operations), schemas: sorted(written) }, undefined, 2)}\n`;
  const file = join(root, 'services', service, 'answers.json');
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
  stale.push(`services/${service}/answers.json`);
  if (!process.argv.includes('--check')) writeFileSync(file, text);
}
if (process.argv.includes('--check') && stale.length > 0) {
  console.error(`Out of date: ${stale.join(', ')}. Run npm run generate.`);
  process.exitCode = 1;
}

/** By `Controller.method`: media type → schema. */
function* answersIn(source, schemas) {
  for (const node of source.statements) {
    if (!ts.isClassDeclaration(node) || node.name === undefined || !decorated(node, 'Controller')) continue;
    for (const method of node.members) {
      if (!ts.isMethodDeclaration(method) || !decorators(method).some(({ name }) => verbs.has(name))) continue;
      const returned = checker.getReturnTypeOfSignature(checker.getSignatureFromDeclaration(method));
      const type = checker.getAwaitedType(returned) ?? returned;
      const produced = decorators(method).flatMap(({ name, args }) => (name === 'ApiProduces' ? args : name === 'Header' && args[0] === 'content-type' ? [args[1].split(';')[0]] : []));
      const isVoid = (type.flags & (ts.TypeFlags.Void | ts.TypeFlags.Undefined)) !== 0;
      const answer = produced.length > 0 ? Object.fromEntries(produced.map((media) => [media, { type: 'string' }])) : isVoid ? {} : { 'application/json': schemaOf(type, schemas) };
      yield [`${node.name.text.replace(/Controller$/, '')}.${method.name.getText()}`, answer];
    }
  }
}

function decorators(node) {
  return (ts.getDecorators(node) ?? []).flatMap(({ expression }) =>
    ts.isCallExpression(expression) ? [{ name: expression.expression.getText(), args: expression.arguments.map((argument) => (ts.isStringLiteralLike(argument) ? argument.text : '')) }] : []);
}

function decorated(node, name) {
  return decorators(node).some((one) => one.name === name);
}

function schemaOf(type, schemas, depth = 0) {
  if (depth > 12) return {};
  const { flags } = type;
  if (flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.NonPrimitive)) return flags & ts.TypeFlags.NonPrimitive ? { type: 'object' } : {};
  if (type.isUnion()) return ofUnion(type, schemas, depth);
  if (type.isStringLiteral()) return { type: 'string', enum: [type.value] };
  if (type.isNumberLiteral()) return { type: 'number', enum: [type.value] };
  if (flags & ts.TypeFlags.BooleanLike) return flags & ts.TypeFlags.BooleanLiteral ? { type: 'boolean', enum: [type.intrinsicName === 'true'] } : { type: 'boolean' };
  if (flags & (ts.TypeFlags.StringLike | ts.TypeFlags.TemplateLiteral)) return { type: 'string' };
  if (flags & ts.TypeFlags.NumberLike) return { type: 'number' };
  if (checker.isArrayType(type) || checker.isTupleType(type)) {
    const [first, ...others] = checker.getTypeArguments(type);
    const items = others.length > 0 ? { oneOf: distinct([first, ...others].map((one) => schemaOf(one, schemas, depth + 1))) } : first === undefined ? {} : schemaOf(first, schemas, depth + 1);
    return { type: 'array', items: items.oneOf?.length === 1 ? items.oneOf[0] : items };
  }
  if (type.symbol?.name === 'Date') return { type: 'string', format: 'date-time' };
  const name = nameOf(type);
  if (name === undefined) return ofObject(type, schemas, depth);
  const known = schemas.get(name);
  if (known === undefined) {
    const entry = { type, schema: {} };
    schemas.set(name, entry);
    Object.assign(entry.schema, ofObject(type, schemas, 0));
  } else if (known.type !== type) return ofObject(type, schemas, depth);
  return { $ref: `#/components/schemas/${name}` };
}

/** Of an interface, a class or an alias that stands for itself: what has parameters is another thing for each of them. */
function nameOf(type) {
  if ((type.aliasTypeArguments?.length ?? 0) > 0 || (type.typeArguments?.length ?? 0) > 0) return undefined;
  const name = type.aliasSymbol?.name ?? type.symbol?.name;
  return name === undefined || name.startsWith('__') || type.isIntersection?.() ? type.aliasSymbol?.name : name;
}

function ofUnion(type, schemas, depth) {
  const present = type.types.filter((one) => !(one.flags & ts.TypeFlags.Undefined));
  const nullable = present.some((one) => one.flags & ts.TypeFlags.Null) ? { nullable: true } : {};
  const rest = present.filter((one) => !(one.flags & ts.TypeFlags.Null));
  if (rest.every((one) => one.flags & ts.TypeFlags.BooleanLiteral) && rest.length === 2) return { type: 'boolean', ...nullable };
  if (rest.every((one) => one.isStringLiteral())) return { type: 'string', enum: rest.map(({ value }) => value).sort(), ...nullable };
  const schemasOfRest = distinct(rest.map((one) => schemaOf(one, schemas, depth + 1)));
  if (schemasOfRest.length !== 1) return { oneOf: schemasOfRest, ...nullable };
  const [only] = schemasOfRest;
  return nullable.nullable && only.$ref !== undefined ? { allOf: [only], nullable: true } : { ...only, ...nullable };
}

function ofObject(type, schemas, depth) {
  const properties = {};
  const required = [];
  for (const property of checker.getPropertiesOfType(type)) {
    if (property.flags & ts.SymbolFlags.Method || property.name.startsWith('__')) continue;
    const own = checker.getTypeOfSymbol(property);
    const schema = schemaOf(own, schemas, depth + 1);
    const said = ts.displayPartsToString(property.getDocumentationComment(checker)).replaceAll(/\s+/g, ' ').trim();
    properties[property.name] = said === '' ? schema : schema.$ref === undefined ? { description: said, ...schema } : { description: said, allOf: [schema] };
    const mayBeUndefined = own.isUnion() && own.types.some((one) => one.flags & ts.TypeFlags.Undefined);
    if (!(property.flags & ts.SymbolFlags.Optional) && !mayBeUndefined) required.push(property.name);
  }
  const index = checker.getIndexTypeOfType(type, ts.IndexKind.String);
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
    ...(index === undefined ? {} : { additionalProperties: schemaOf(index, schemas, depth + 1) }),
  };
}

function distinct(values) {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}

function sorted(object) {
  return Object.fromEntries(Object.entries(object).sort(([one], [other]) => (one < other ? -1 : 1)));
}
