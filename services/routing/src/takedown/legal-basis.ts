/** Titles as a platform's lawyer reads them. An operator extends the list by configuration; a code without title stands for itself. */
export const legalBasisTitles: Readonly<Record<string, string>> = {
  'UU-10-2016:69-b': 'Act 10/2016 on regional elections, article 69 (b): insulting a person, religion, ethnicity, race, group or candidate in a campaign',
  'UU-10-2016:69-c': 'Act 10/2016 on regional elections, article 69 (c): inciting, slandering or setting people against each other in a campaign',
  'UU-10-2016:187': 'Act 10/2016 on regional elections, article 187: penalties for prohibited campaigning',
  'UU-7-2017:280': 'Act 7/2017 on general elections, article 280: prohibitions in a campaign',
  'UU-ITE:28-1': 'Electronic Information and Transactions Act, article 28 (1): false information that causes loss to consumers',
  'UU-ITE:28-2': 'Electronic Information and Transactions Act, article 28 (2): inciting hatred or hostility against a group',
  'UU-ITE:28-3': 'Electronic Information and Transactions Act, article 28 (3): false information that causes unrest in society',
  'PERMENKOMINFO-5-2020:9-4-a': 'Ministerial Regulation 5/2020, article 9 (4) (a): content that violates the law',
  'PERMENKOMINFO-5-2020:9-4-b': 'Ministerial Regulation 5/2020, article 9 (4) (b): content that causes public unrest or disturbs public order',
  'PERMENKOMINFO-5-2020:9-4-c': 'Ministerial Regulation 5/2020, article 9 (4) (c): telling how to reach, or giving access to, prohibited content',
};
