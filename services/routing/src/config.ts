import { legalBases } from '@sejam/contracts';
import { parseAllowList, type AllowList } from '@sejam/webhooks';
import { hostSettings, optional, partSettings, readConfig, text, url, type Environment, type Setting } from '@sejam/service-host';

const legalBasesFile: Setting<ReturnType<typeof legalBases>> = { variable: 'SEJAM_LEGAL_BASES_FILE', parse: (file) => legalBases(file) };

const webhookAllow: Setting<AllowList> = {
  variable: 'SEJAM_WEBHOOK_ALLOW',
  parse: (networks) => {
    try {
      return parseAllowList(networks);
    } catch (error) {
      throw new Error((error as Error).message.replace('SEJAM_WEBHOOK_ALLOW: ', ''), { cause: error });
    }
  },
};

const defaultRedress =
  'The order may be objected to within the order (order.objected); an objection is ruled on by another officer within 24 hours. Whoever posted the content may write to the desk.';

export const routingConfig = (env: Environment) =>
  readConfig(
    {
      ...hostSettings({ port: 8082, internalPort: 9082 }),
      ...partSettings(),
      masterKeyFile: text('SEJAM_MASTER_KEY_FILE', { what: 'the path of the master key file' }),
      credentialsFile: optional(text('SEJAM_CREDENTIALS_FILE')),
      /** Where the sandbox answers for the platforms; their endpoints at the first start. */
      sandboxUrl: optional(url('SEJAM_SANDBOX_URL', { protocols: ['http:', 'https:'] })),
      legalBases: legalBasesFile,
      /** Networks that messages and short links may reach although they are not public. */
      webhookAllow,
      /** Told to platforms in every order. */
      desk: text('SEJAM_DESK', { fallback: 'desk@sejam.invalid' }),
      redress: text('SEJAM_REDRESS', { fallback: defaultRedress }),
    },
    env,
  );
