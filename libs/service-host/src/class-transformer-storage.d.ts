/** The part of class-transformer that knows what `@Type` and its other decorators said; the package ships it without declarations. */
declare module 'class-transformer/cjs/storage.js' {
  const storage: {
    readonly defaultMetadataStorage: {
      findTypeMetadata(target: unknown, propertyName: string): { readonly typeFunction: () => unknown; readonly options?: { readonly discriminator?: unknown } } | undefined;
      findTransformMetadatas(target: unknown, propertyName: string, transformationType: number): readonly unknown[];
      getExposedProperties(target: unknown, transformationType: number): readonly string[];
      getExcludedProperties(target: unknown, transformationType: number): readonly string[];
    };
  };
  export default storage;
}
