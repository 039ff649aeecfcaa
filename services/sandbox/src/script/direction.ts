import { Injectable } from '@nestjs/common';
import type { Message, Platform } from '../order/order.js';
import type { Behaviour } from './behaviour.js';
import { chooseBehaviour, platformScript, type Script } from './script.js';

/** The script in force. A new one speaks for orders received from then on; those before keep what was decided for them. */
@Injectable()
export class Direction {
  constructor(private current: Script) {}

  get script(): Script {
    return this.current;
  }

  replace(script: Script): void {
    this.current = script;
  }

  behaviourOf(platform: Platform, order: Message): { name: string; behaviour: Behaviour; seed: number } {
    return { ...chooseBehaviour(this.current, platform, order), seed: this.current.seed };
  }

  readsFeed(platform: Platform): boolean {
    return platformScript(this.current, platform).via === 'feed';
  }
}
