export interface ReportedContent {
  /** Its place in the request's `contents`. */
  index: number;
  submittedUrl: string;
  canonicalUrl: string;
  contentKey: string;
  platform: string;
  product: string;
  /** A short link whose content is not known yet. */
  provisional: boolean;
  takedownId: string;
  note?: string;
  /** Further URLs of the same request that name the same content. */
  alsoSubmittedAs?: { index: number; url: string }[];
}

export interface RefusedUrl {
  index: number;
  submittedUrl: string;
  code: string;
  detail: string;
}

export interface Evidence {
  mediaType: string;
  sha256: string;
  size: number;
  uri: string;
}

/** What the report says of its contents; what an amendment may change. */
export interface Statement {
  category: string;
  contentForm: string;
  language?: string;
  issue?: { reference: string; title: string };
  legalBasis?: string[];
  region: string;
  target?: string;
  summary: string;
  evidence?: Evidence[];
}

export interface FactCheck {
  url?: string;
  statement?: string;
}

// Events are permanent: add optional fields freely, never rename or remove one.
export type ReportEvent =
  | {
      type: 'ReportSubmitted';
      data: {
        reportId: string;
        reference: string;
        reportedBy: string;
        /** SHA-256, hex, of the RFC 8785 form of the request without `reporter`: what a repeat is compared with. */
        requestSha256: string;
        statement: Statement;
        contents: ReportedContent[];
        refused?: RefusedUrl[];
        /** Each value AES-256-GCM under the subject's key, additional data = stream, event id and field; never published. */
        reporter?: { subjectId: string; name?: string; contact?: string };
      };
    }
  /** No content could be routed: status stays none and the reference stays free. Kept for the statistics. */
  | {
      type: 'ReportUnroutable';
      data: { reportId: string; reference: string; reportedBy: string; category: string; region: string; refused: RefusedUrl[] };
    }
  /** The whole statement as it stands now; `changed` names the fields that differ from before. */
  | { type: 'ReportAmended'; data: { reportId: string; statement: Statement; changed: (keyof Statement)[]; reason: string } }
  | {
      type: 'ContentsApproved';
      data: {
        reportId: string;
        reference: string;
        reportedBy: string;
        submittedAt: string;
        decidedBy: string;
        issuedBy: string;
        contents: ReportedContent[];
        /** The report's statement as it was approved, so that the event can be acted on alone. */
        statement: Statement;
        reasons: string;
        requestedAction: string;
        legalBasis: string[];
        factCheck?: FactCheck;
        clarificationUrl?: string;
        territories?: string[];
        /** Holder ids that may not rule on an objection: who submitted and who approved. */
        submittedByHolder: string;
        approvedByHolder: string;
      };
    }
  | {
      type: 'ContentsDeclined';
      data: { reportId: string; decidedBy: string; contents: { contentKey: string; takedownId: string }[]; reason: string };
    }
  /** `approved`: the contents whose takedowns this report leaves. */
  | { type: 'ReportWithdrawn'; data: { reportId: string; reason: string; approved: { contentKey: string; takedownId: string }[] } }
  | { type: 'DeadlinePassed'; data: { clock: 'decision'; reportId: string; run: 1; due: string } };
