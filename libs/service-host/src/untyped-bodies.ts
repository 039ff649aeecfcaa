import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import type { ModulesContainer } from '@nestjs/core';

/**
 * A body or query whose class is not known at run time is not validated at all, and nobody would notice: `import type` of a DTO class is
 * enough to get there. Such a handler keeps the service from starting.
 */
export function refuseUntypedBodies(modules: ModulesContainer): void {
  const faults: string[] = [];
  for (const module of modules.values()) {
    for (const { metatype } of module.controllers.values()) {
      if (typeof metatype !== 'function') continue;
      const prototype = metatype.prototype as object;
      for (const method of Object.getOwnPropertyNames(prototype)) {
        const routeArguments = (Reflect.getMetadata(ROUTE_ARGS_METADATA, metatype, method) ?? {}) as Record<string, { index: number; data?: unknown }>;
        const types = (Reflect.getMetadata('design:paramtypes', prototype, method) ?? []) as unknown[];
        for (const [name, { index, data }] of Object.entries(routeArguments)) {
          const kind = Number(name.split(':')[0]) as RouteParamtypes;
          const isWhole = (kind === RouteParamtypes.BODY || kind === RouteParamtypes.QUERY) && data === undefined;
          if (isWhole && [undefined, Object, Function, Array, String].includes(types[index] as never)) {
            faults.push(`${metatype.name}.${method} takes a ${kind === RouteParamtypes.BODY ? 'body' : 'query'} that would not be validated: give it a class, imported as a value`);
          }
        }
      }
    }
  }
  if (faults.length > 0) throw new Error(faults.join('; '));
}
