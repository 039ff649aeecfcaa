import ts from 'typescript';

/** What the checks of the documents need to know of a source file, found in its syntax and not by patterns over its text. */
export interface SourceLiterals {
  /** Every string literal. */
  readonly all: ReadonlySet<string>;
  /** String literals that are given as a problem code: to DomainError, RequestRefused, or a function or field named for codes. */
  readonly codes: ReadonlySet<string>;
  /** `type: '…'` members of type aliases whose name ends in `Event`. */
  readonly eventTypes: readonly string[];
}

/** Which argument of what is a code. */
const codeArgument: Readonly<Record<string, number>> = { DomainError: 0, RequestRefused: 1, unauthorized: 0, answer: 1 };

/** The shape of a problem code: a word or two, a dot, what is wrong. */
export const isCode = (text: string): boolean => text === 'rate-limited' || /^[a-z]+(-[a-z0-9]+)*\.[a-z0-9]+(-[a-z0-9]+)*$/.test(text);

export function literalsOf(path: string, text: string): SourceLiterals {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const all = new Set<string>();
  const codes = new Set<string>();
  const eventTypes: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) all.add(node.text);
    if (ts.isNewExpression(node) || ts.isCallExpression(node)) {
      const index = codeArgument[node.expression.getText(source)];
      const argument = index === undefined ? undefined : node.arguments?.[index];
      if (argument !== undefined) for (const code of literalsIn(argument)) codes.add(code);
    }
    if (ts.isPropertyAssignment(node) && node.name.getText(source) === 'code') for (const code of literalsIn(node.initializer)) codes.add(code);
    if (ts.isTypeAliasDeclaration(node) && /Event$/.test(node.name.text)) {
      const members = ts.isUnionTypeNode(node.type) ? node.type.types : [node.type];
      for (const member of members) eventTypes.push(...typeMemberOf(member));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { all, codes: new Set([...codes].filter(isCode)), eventTypes };
}

/** The values an expression may have, where it is a literal or a choice between literals. */
function literalsIn(node: ts.Expression): string[] {
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isConditionalExpression(node)) return [...literalsIn(node.whenTrue), ...literalsIn(node.whenFalse)];
  if (ts.isParenthesizedExpression(node)) return literalsIn(node.expression);
  return [];
}

function typeMemberOf(member: ts.TypeNode): string[] {
  if (ts.isParenthesizedTypeNode(member)) return typeMemberOf(member.type);
  if (ts.isUnionTypeNode(member)) return member.types.flatMap(typeMemberOf);
  if (ts.isIntersectionTypeNode(member)) return member.types.flatMap(typeMemberOf);
  if (!ts.isTypeLiteralNode(member)) return [];
  return member.members.flatMap((property) => {
    if (!ts.isPropertySignature(property) || property.name.getText() !== 'type' || property.type === undefined) return [];
    const types = ts.isUnionTypeNode(property.type) ? [...property.type.types] : [property.type];
    return types.flatMap((type) => (ts.isLiteralTypeNode(type) && ts.isStringLiteral(type.literal) ? [type.literal.text] : []));
  });
}
