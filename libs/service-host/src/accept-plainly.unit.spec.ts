import 'reflect-metadata';
import { ValidationPipe } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { Transform, Type } from 'class-transformer';
import { ArrayMaxSize, ArrayMinSize, ArrayUnique, IsArray, IsIn, IsInt, IsObject, IsString, Length, Matches, Max, Min, ValidateNested } from 'class-validator';
import { assert, asyncProperty, constant, dictionary, jsonValue, oneof, record, string, array, integer } from 'fast-check';
import { acceptPlainly } from './accept-plainly.js';
import { MayBeAbsent } from './describe-input.js';

class Part {
  @IsString() @Length(1, 5) name!: string;
  @MayBeAbsent() @IsInt() @Min(0) @Max(9) size?: number;
}

class Whole {
  @IsString() @Matches(/^[a-z]+$/) title!: string;
  @IsIn(['one', 'two']) choice!: string;
  @MayBeAbsent() @IsArray() @ArrayUnique() @ArrayMaxSize(3) @IsString({ each: true }) tags?: string[];
  @MayBeAbsent() @IsObject() @ValidateNested() @Type(() => Part) main?: Part;
  @IsArray() @ArrayMinSize(1) @IsObject({ each: true }) @ValidateNested({ each: true }) @Type(() => Part) parts!: Part[];
  @MayBeAbsent() @IsObject() anything?: object;
}

class Changed {
  @IsString() @Transform(({ value }) => String(value).trim()) title!: string;
}

class Untyped {
  @ValidateNested() part!: Part;
}

const careful = new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true });
const good = () => ({ title: 'abc', choice: 'one', tags: ['a'], main: { name: 'x', size: 3 }, parts: [{ name: 'y' }], anything: { deep: [1] } });

describe('accepting plainly', () => {
  it('makes what the careful way makes of a good value', async () => {
    const accepted = acceptPlainly(Whole, good());
    expect(accepted).toEqual(await careful.transform(good(), { type: 'body', metatype: Whole }));
    expect(accepted).toBeInstanceOf(Whole);
    expect((accepted as Whole).parts[0]).toBeInstanceOf(Part);
  });

  it('accepts exactly what the careful way accepts', async () => {
    const odd = oneof(jsonValue(), constant(undefined));
    const part = oneof({ weight: 4, arbitrary: record({ name: string({ maxLength: 6 }), size: integer({ min: -1, max: 10 }) }, { requiredKeys: ['name'] }) }, { weight: 1, arbitrary: odd });
    const goodPart = record({ name: string({ minLength: 1, maxLength: 5, unit: 'grapheme-ascii' }), size: integer({ min: 0, max: 9 }) }, { requiredKeys: ['name'] });
    const value = oneof(
      record({ title: constant('abc'), choice: constant('two'), tags: array(string({ maxLength: 1 }), { maxLength: 3 }), main: goodPart, parts: array(goodPart, { minLength: 1, maxLength: 2 }) }, { requiredKeys: ['title', 'choice', 'parts'] }),
      record({
        title: oneof({ weight: 4, arbitrary: constant('abc') }, odd), choice: oneof({ weight: 4, arbitrary: constant('two') }, odd), tags: oneof(array(string({ maxLength: 1 }), { maxLength: 4 }), odd),
        main: part, parts: oneof({ weight: 4, arbitrary: array(part, { maxLength: 2 }) }, { weight: 1, arbitrary: odd }), anything: odd, unknown: odd,
      }, { requiredKeys: ['title', 'choice', 'parts'] }),
      dictionary(string(), jsonValue()),
    );
    let accepted = 0;
    await assert(
      asyncProperty(value, async (given) => {
        const plainly = acceptPlainly(Whole, structuredClone(given));
        const carefully: unknown = await careful.transform(structuredClone(given), { type: 'body', metatype: Whole }).catch(() => undefined);
        if (plainly !== undefined) accepted += 1;
        expect(plainly).toEqual(carefully);
      }),
      { numRuns: 1_000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('leaves classes that change their values, or nest without saying what, to the careful way', () => {
    expect(acceptPlainly(Changed, { title: ' a ' })).toBeUndefined();
    expect(acceptPlainly(Untyped, { part: { name: 'x' } })).toBeUndefined();
  });
});
