import { Body, Controller, Get, Inject, Put } from '@nestjs/common';
import { MayBeAbsent } from '@sejam/service-host';
import { IsInt, IsObject } from 'class-validator';
import { behaviours } from './behaviour.js';
import { Direction } from './direction.js';
import { readScript } from './script.js';

class ScriptInput {
  @MayBeAbsent() @IsInt() seed?: number;
  @MayBeAbsent() @IsObject() behaviours?: object;
  @IsObject() platforms!: object;
}

/** The script as it is, and another in its place. */
@Controller()
export class EditScript {
  constructor(@Inject(Direction) private readonly direction: Direction) {}

  @Get('/script')
  show() {
    return this.direction.script;
  }

  @Put('/script')
  replace(@Body() input: ScriptInput) {
    this.direction.replace(readScript({ ...input }));
    return this.direction.script;
  }

  /** The built-in behaviours in full, as patterns for one's own. */
  @Get('/behaviours')
  behaviours() {
    return behaviours;
  }
}
