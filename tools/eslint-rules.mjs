// Lint rules that no published plugin has. Each is tested by a planted violation in tests/architecture.
import ts from 'typescript';

const isDecorated = (node) => (node?.decorators?.length ?? 0) > 0;

/** The class member or constructor whose emitted metadata names the type that `reference` stands for, if it does. */
function isInDecoratedSignature(reference) {
  if (reference.parent.type !== 'TSTypeAnnotation') return false; // only the outermost type reaches the metadata
  let owner = reference.parent.parent;
  if (owner.type === 'PropertyDefinition' || owner.type === 'AccessorProperty') return isDecorated(owner);
  while (['Identifier', 'AssignmentPattern', 'TSParameterProperty'].includes(owner.type)) {
    if (isDecorated(owner)) return true;
    owner = owner.parent;
  }
  if (owner.type !== 'FunctionExpression' || owner.parent.type !== 'MethodDefinition') return false;
  const method = owner.parent;
  if (isDecorated(method) || owner.params.some((parameter) => isDecorated(parameter) || isDecorated(parameter.parameter))) return true;
  return method.kind === 'constructor' && isDecorated(method.parent.parent);
}

/**
 * A class that is imported as a type leaves no trace at run time: Nest injects nothing, and a body is not validated. The compiler accepts
 * both.
 */
const valueImportOfDecoratedClasses = {
  meta: { type: 'problem', schema: [], messages: { erased: '{{name}} is a class: import it as a value, or Nest will not see it here' } },
  create(context) {
    const services = context.sourceCode.parserServices;
    const checker = services.program.getTypeChecker();
    return {
      TSTypeReference(node) {
        if (node.typeName.type !== 'Identifier' || !isInDecoratedSignature(node)) return;
        const { name } = node.typeName;
        let scope = context.sourceCode.getScope(node);
        while (scope !== null && !scope.set.has(name)) scope = scope.upper;
        const specifier = scope?.set.get(name)?.defs[0]?.node;
        if (specifier?.parent?.type !== 'ImportDeclaration') return;
        if (specifier.importKind !== 'type' && specifier.parent.importKind !== 'type') return;
        const symbol = services.getSymbolAtLocation(specifier.local);
        const target = symbol === undefined || (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
        if (target !== undefined && (target.flags & ts.SymbolFlags.Class) !== 0) context.report({ node, messageId: 'erased', data: { name } });
      },
    };
  },
};

export default { rules: { 'value-import-of-decorated-classes': valueImportOfDecoratedClasses } };
