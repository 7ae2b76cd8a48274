// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IMarketLedger
/// @notice What the ledger of the markets is made of: its structs, events and errors.
///
/// Every event of a market carries the market's sequence number, without gaps, and the full state after it, so that
/// nobody who reads all events ever has to read back.
interface IMarketLedger {
    /// @notice One account's exposure to one market.
    struct Position {
        /// {base} Positive when long.
        int104 size;
        /// {usd/base} The market's funding index when the position was last touched.
        int96 fundingIndex;
        /// The sequence number with which the position was opened, or flipped: no two positions of a market share it.
        uint56 opened;
        /// {raw} The exact signed cost, `sum(delta * fill)`.
        int256 cost;
    }

    /// @notice What governs a market. Rates are 1e18 = 100 %. The order is that of storage: what an action reads lies
    /// together.
    struct MarketParams {
        /// {base} The skew at which the premium is 100 %.
        uint96 skewScale;
        /// {s}
        uint24 fundingInterval;
        /// {s} How much newer than a commitment the price must be at which it fills; above zero only orders trade.
        uint8 minDelay;
        /// Bound of the funding rate per funding interval.
        uint64 maxFundingRate;
        /// Initial and maintenance margin ratio.
        uint64 imr;
        uint64 mmr;
        /// {quanta} The least a position may be worth.
        uint96 minNotional;
        /// {quanta} The least a keeper receives, as far as the penalty goes.
        uint96 minKeeperReward;
        /// Fee on what enlarges |skew|, and on what reduces it.
        uint64 takerFee;
        uint64 makerFee;
        /// Shares of a fee; the rest is the pool's.
        uint64 insuranceShare;
        uint64 protocolShare;
        /// {base} Bound of each side's open interest.
        uint96 maxOpenInterest;
        /// The pool backs |skew| * mark up to this part of its cash.
        uint64 poolReserveFactor;
        /// A side whose profit exceeds this part of the pool's cash may be deleveraged.
        uint64 adlPnlFactor;
        /// Of a liquidation's notional.
        uint64 penaltyRate;
        /// The keeper's part of the penalty.
        uint64 keeperShare;
    }

    /// @notice What a market is at this moment, as last accrued.
    struct MarketState {
        /// {usd/base} What one base unit has paid in funding since the market was listed.
        int96 fundingIndex;
        /// {s} When the funding index was last brought up to date.
        uint40 accruedAt;
        /// One bit per paused action.
        uint16 paused;
        /// How many risk tiers there are above the first.
        uint8 tiers;
        /// {quanta} The protocol's share of the market's fees, until it is collected.
        uint96 protocolFees;
        /// {base} Open interest per side.
        uint96 longOi;
        uint96 shortOi;
        /// The number of the market's last event.
        uint64 sequence;
        /// {raw} `sum(cost - size * F0)` per side.
        int256 longBasis;
        int256 shortBasis;
        /// {quanta} Bad debt of each side that the insurance fund could not cover and ADL has not yet recovered.
        uint96 longDeficit;
        uint96 shortDeficit;
        /// {s} Before this time nobody is liquidated; all ones while an outage of the price lasts.
        uint40 graceUntil;
    }

    /// @notice What positions of at least `minSize` need instead of the market's own margin ratios.
    struct RiskTier {
        /// {base}
        uint96 minSize;
        uint64 imr;
        uint64 mmr;
    }

    /// @notice The end of a market: the price at which everything is settled, and what its winners are owed and get.
    struct Delisting {
        /// {s} From when on the market may be delisted; zero when that was not announced.
        uint40 effectiveAt;
        /// {usd/base} The final price; zero before.
        uint96 price;
        /// {base} The size of the winners whose claims stand.
        uint104 registered;
        /// Whether every claim stands, so that winners are paid.
        bool paying;
        /// {quanta} What winners are owed, and what there is for them once every claim stands.
        uint96 claims;
        uint96 payout;
    }

    /// @notice Balances after an action. {quanta}
    struct Balances {
        int256 collateral;
        int256 pool;
        uint256 insurance;
        /// The market's protocol fees.
        uint256 protocolFees;
    }

    /// @notice What a trade did.
    struct TradeResult {
        int256 delta;
        int256 fill;
        int256 mark;
        /// {quanta} Charged.
        int256 fee;
        /// {quanta} Realised profit before fee and funding.
        int256 realized;
        /// {quanta} Funding received; negative when paid.
        int256 funding;
    }

    /// @notice What a settlement did.
    struct SettleResult {
        int256 mark;
        int256 realized;
        int256 funding;
    }

    /// @notice What a liquidation did.
    struct LiquidationResult {
        /// {base} Without sign.
        int256 closed;
        int256 mark;
        int256 realized;
        int256 funding;
        /// {quanta} Charged to the account, the keeper's reward included.
        int256 penalty;
        /// {quanta} Credited to the keeper, out of the penalty or, when the account is bankrupt, by the fund.
        int256 reward;
        /// {quanta} The account's bad debt, the part that the insurance fund covered, and what stands as a deficit.
        int256 badDebt;
        int256 covered;
        int256 deficit;
    }

    /// @notice What deleveraging did to one winner.
    struct DeleverageResult {
        int256 closed;
        int256 mark;
        int256 realized;
        int256 funding;
        /// {quanta} The part of the realised profit that went to the opposite side's deficit.
        int256 haircut;
        /// {quanta} The opposite side's deficit after it.
        int256 deficit;
        /// {quanta} The account's own bad debt, when closing leaves it bankrupt, and what the insurance fund covered
        /// of it; the rest is added to its own side's deficit.
        int256 badDebt;
        int256 covered;
    }

    /// @notice What closing out did to one position of a delisted market.
    struct CloseOutResult {
        /// {usd/base} The final price.
        int256 price;
        /// {quanta} What the position was worth, funding included, and what was paid: less when there is not enough
        /// for all winners; negative when it was owed.
        int256 claim;
        int256 paid;
        /// {quanta} The account's bad debt, the part that the insurance fund covered, and what stands as a deficit.
        int256 badDebt;
        int256 covered;
        int256 deficit;
    }

    event MarketListed(
        uint16 indexed market, uint64 sequence, bytes32 symbol, MarketParams params, RiskTier[] tiers
    );
    event MarketParamsAnnounced(
        uint16 indexed market, uint64 sequence, uint256 effectiveAt, MarketParams params, RiskTier[] tiers
    );
    event MarketParamsSet(
        uint16 indexed market,
        uint64 sequence,
        int256 mark,
        int256 fundingIndex,
        MarketParams params,
        RiskTier[] tiers
    );
    event OrdersSet(address orders);
    event OutageRecorded(uint16 indexed market, uint64 sequence, uint256 graceUntil);
    event DelistingAnnounced(uint16 indexed market, uint64 sequence, uint256 effectiveAt);
    event MarketDelisted(
        uint16 indexed market, uint64 sequence, int256 price, int256 fundingIndex, uint16 bits
    );
    event ClaimRegistered(
        uint16 indexed market, uint256 indexed account, uint64 sequence, int256 claim, Delisting delisting
    );
    event PayoutFixed(
        uint16 indexed market, uint64 sequence, Delisting delisting, int256 pool, uint256 insurance
    );
    event ClosedOut(
        uint16 indexed market,
        uint256 indexed account,
        uint64 sequence,
        CloseOutResult result,
        Balances balances
    );
    event ProtocolFeesCollected(uint16 indexed market, uint64 sequence, uint256 amount, uint256 treasury);
    event MarketPaused(uint16 indexed market, uint64 sequence, uint16 bits, uint256 graceUntil);
    event Traded(
        uint16 indexed market,
        uint256 indexed account,
        uint64 sequence,
        int256 fundingIndex,
        TradeResult result,
        Position position,
        Balances balances
    );
    event Settled(
        uint16 indexed market,
        uint256 indexed account,
        uint64 sequence,
        int256 fundingIndex,
        SettleResult result,
        Position position,
        Balances balances
    );
    event Liquidated(
        uint16 indexed market,
        uint256 indexed account,
        uint256 indexed keeper,
        uint64 sequence,
        int256 fundingIndex,
        LiquidationResult result,
        Position position,
        Balances balances,
        int256 keeperCollateral
    );
    event Deleveraged(
        uint16 indexed market,
        uint256 indexed account,
        uint64 sequence,
        int256 fundingIndex,
        DeleverageResult result,
        Position position,
        Balances balances
    );

    /// @notice Thrown when there is no market of that id.
    error UnknownMarket(uint16 market);
    /// @notice Thrown when an action on a market is paused; `bit` names the action.
    error MarketActionPaused(uint16 market, uint16 bit);
    /// @notice Thrown when a parameter is out of its bounds.
    error InvalidParameter(string name);
    /// @notice Thrown when a change that could hurt open positions was not announced, or not long enough ago; `effectiveAt`
    /// is zero when nothing stands announced, or something else.
    error NotAnnounced(uint16 market, uint256 effectiveAt);
    /// @notice Thrown when a market that was delisted is governed, or one that was not is closed out.
    error Delisted(uint16 market, bool delisted);
    /// @notice Thrown when a market trades only through delayed orders.
    error OnlyOrders(uint16 market, uint256 minDelay);
    /// @notice Thrown when a liquidation, the end of a market, or a trade that does more than make a position smaller
    /// comes before owners had time to react to a pause or an outage.
    error GracePeriod(uint16 market, uint256 graceUntil);
    /// @notice Thrown when there is no beginning or end of an outage to record.
    error NothingToRecord(uint16 market, bool priced);
    /// @notice Thrown when so little gas is left that a feed could be made to fail.
    error InsufficientGas(uint256 available, uint256 required);
    /// @notice Thrown when the account has no position in the market.
    error NoPosition(uint256 account, uint16 market);
    /// @notice Thrown when a trade would fill at a worse price than its limit.
    error PriceLimitCrossed(int256 fill, int256 priceLimit);
    /// @notice Thrown when a ninth market would be added to an account.
    error TooManyPositions(uint256 account);
    /// @notice Thrown when a position would be worth less than the least. {quanta}
    error BelowMinNotional(int256 notional, int256 minNotional);
    /// @notice Thrown when a side would grow beyond its bound. {base}
    error OpenInterestExceeded(uint16 market, bool long, int256 openInterest, int256 maxOpenInterest);
    /// @notice Thrown when the pool cannot back |skew| * mark. {quanta}
    error PoolReserveExceeded(uint16 market, int256 required, int256 available);
    /// @notice Thrown when equity would be below initial margin. {quanta}
    error BelowInitialMargin(uint256 account, int256 equity, int256 required);
    /// @notice Thrown when a reduction would leave equity below maintenance margin. {quanta}
    error BelowMaintenanceMargin(uint256 account, int256 equity, int256 required);
    /// @notice Thrown when a healthy account would be liquidated. {quanta}
    error NotLiquidatable(uint256 account, int256 equity, int256 maintenanceMargin);
    /// @notice Thrown when there is neither a deficit nor an excess of profit to deleverage for.
    error NothingToDeleverage(uint16 market, bool long);
    /// @notice Thrown when an account of the list does not hold the side that is deleveraged.
    error NotAHolder(uint256 account);
    /// @notice Thrown when the list of accounts is not in strictly ascending order.
    error NotAscending(uint256 previous, uint256 next);
    /// @notice Thrown when the list of accounts leaves holders out. {base}
    error IncompleteHolders(int256 listed, int256 openInterest);
    /// @notice Carries the result of a simulated action, and what was read after it; everything is undone.
    error Simulated(bytes result, bytes report);

    /// @notice How many markets there are; their ids run from zero.
    function marketCount() external view returns (uint16);
}
