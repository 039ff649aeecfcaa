export { builtInTerms, chooseTerms, type Policy, type Terms } from './terms.js';
export { acknowledgementDue, decisionDue, dispatchDue, resolutionDue, rulingDue, secondResolutionDue, warningDue, type Clarification } from './due-times.js';
export { decisionClock, orderClock, orderClocks, verdict, type Clock, type ClockKind, type Fact, type FactKind, type OrderTerms, type Verdict } from './clocks.js';
