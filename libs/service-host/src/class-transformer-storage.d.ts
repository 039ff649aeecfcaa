/** The part of class-transformer that knows what `@Type` said; the package ships it without declarations. */
declare module 'class-transformer/cjs/storage.js' {
  const storage: {
    readonly defaultMetadataStorage: {
      findTypeMetadata(target: unknown, propertyName: string): { readonly typeFunction: () => unknown } | undefined;
    };
  };
  export default storage;
}
