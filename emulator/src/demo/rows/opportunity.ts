import { opportunity } from '../../schema/standard/opportunity.ts';
import { description, trapped } from '../texts.ts';
import { dayAround } from '../times.ts';
import { choices } from './choices.ts';
import { company, type MakeRow, maybe, money, ownership, region } from './source.ts';

/** What a stage implies, as a new org sets it up. */
const stages = {
  Prospecting: [10, 'Pipeline'],
  Qualification: [10, 'Pipeline'],
  'Needs Analysis': [20, 'Pipeline'],
  'Value Proposition': [50, 'Pipeline'],
  'Id. Decision Makers': [60, 'Pipeline'],
  'Perception Analysis': [70, 'Pipeline'],
  'Proposal/Price Quote': [75, 'Pipeline'],
  'Negotiation/Review': [90, 'Pipeline'],
  'Closed Won': [100, 'Closed'],
  'Closed Lost': [0, 'Omitted'],
} as const satisfies Record<string, readonly [probability: number, forecast: string]>;
type Stage = keyof typeof stages;

const stageNames = choices(opportunity, 'StageName') as readonly Stage[];
const types = choices(opportunity, 'Type');
const sources = choices(opportunity, 'LeadSource');
const nextSteps = ['Send quote', 'Call "Jim", then mail', 'Vertrag prüfen', '見積もり', 'Waiting for legal, finance & IT'];

export const opportunityRow: MakeRow = (source, index) => {
  const { random, accountIds } = source;
  const owned = ownership(source);
  const stage = random.chance(0.45) ? random.pick(['Closed Won', 'Closed Lost'] as const) : random.pick(stageNames);
  const [probability, forecast] = stages[stage];
  const amount = money(random, 500, 20_000_000);
  const closeDate = dayAround(random, owned.createdMs, 0, stage.startsWith('Closed') ? 0.4 : 1.5);
  const year = Number(closeDate.slice(0, 4));
  const quarter = Math.ceil(Number(closeDate.slice(5, 7)) / 3);
  return {
    AccountId: accountIds.length === 0 || random.chance(0.03) ? null : random.pick(accountIds),
    IsPrivate: random.chance(0.02),
    Name: `${company(random, region(random))} – ${random.pick(['Renewal', 'New Business', 'Add-On', 'Erweiterung'])} #${index}`.slice(
      0,
      120,
    ),
    Description: description(random),
    StageName: stage,
    Amount: amount,
    Probability: probability,
    ExpectedRevenue: amount === null ? null : Math.round(amount * probability) / 100,
    TotalOpportunityQuantity: maybe(random, 0.7, () => random.int(1, 5000) / 4),
    CloseDate: closeDate,
    Type: maybe(random, 0.25, () => random.pick(types)),
    NextStep: maybe(random, 0.5, () => trapped(random, random.pick(nextSteps), 255)),
    LeadSource: maybe(random, 0.4, () => random.pick(sources)),
    IsClosed: stage.startsWith('Closed'),
    IsWon: stage === 'Closed Won',
    ForecastCategory: forecast,
    ForecastCategoryName: forecast,
    OwnerId: owned.OwnerId,
    CreatedDate: owned.CreatedDate,
    CreatedById: owned.CreatedById,
    LastModifiedDate: owned.LastModifiedDate,
    LastModifiedById: owned.LastModifiedById,
    SystemModstamp: owned.SystemModstamp,
    FiscalQuarter: quarter,
    FiscalYear: year,
    Fiscal: `${year} ${quarter}`,
    OrderNumber__c: maybe(random, 0.8, () => String(random.int(0, 999_999)).padStart(8, '0')),
    MainCompetitors__c: maybe(random, 0.7, () => trapped(random, random.pick(['John Deere', 'Hawkpower, Honda']), 100)),
  };
};
