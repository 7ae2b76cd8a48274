// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IPriceOracle
/// @notice One price per market from several feeds: the median of those that are fresh and agree.
interface IPriceOracle {
    /// @notice How a market's feeds are read.
    struct OracleConfig {
        /// {s} A feed older than this does not count. At most 2**24 - 1, which is half a year.
        uint32 heartbeat;
        /// {1e18 = 100 %} A feed further than this from the median of the fresh ones does not count.
        uint64 maxDeviation;
        /// How many feeds must be left.
        uint8 quorum;
        address[] feeds;
    }

    /// @notice A price that a feed's reporter signed, and which of the market's feeds it is for.
    struct SignedReport {
        /// The feed's place in `OracleConfig.feeds`, from 0 on.
        uint8 feed;
        /// In the feed's decimals.
        int128 price;
        /// {s}
        uint64 timestamp;
        bytes signature;
    }

    event FeedsSet(uint16 indexed market, OracleConfig config);
    event HaltSet(uint16 indexed market, bool halted);

    /// @notice Thrown when a market has no feeds.
    error NoFeeds(uint16 market);
    /// @notice Thrown when fewer than `quorum` feeds are fresh.
    error StalePrice(uint16 market, uint256 fresh, uint256 quorum);
    /// @notice Thrown when enough feeds are fresh, but fewer than `quorum` agree.
    error QuorumNotMet(uint16 market, uint256 agreeing, uint256 quorum);
    /// @notice Thrown when the owner has halted a market's price, whatever its feeds say.
    error PriceHalted(uint16 market);
    /// @notice Thrown when a report is for a feed that the market does not have.
    error UnknownFeed(uint16 market, uint8 feed);
    /// @notice Thrown when a report is for a feed that has no `deliver`, or fails in it without saying why.
    error TakesNoReports(uint16 market, uint8 feed);
    /// @notice Thrown when feeds are configured with a value that makes no sense.
    error InvalidFeeds(uint16 market, string reason);

    /// @notice The price of one base unit. {usd/base, 1e18}
    /// @return price The median of the feeds that are fresh and agree; of an even number, the floor of the mean of
    /// the middle two.
    /// @return updatedAt {s} When the oldest feed behind that price was updated.
    function price(uint16 market) external view returns (int256 price, uint256 updatedAt);

    /// @notice How `market`'s feeds are read.
    function configOf(uint16 market) external view returns (OracleConfig memory);

    /// @notice Whether the price of `market` is halted.
    function isHalted(uint16 market) external view returns (bool);

    /// @notice Replaces the feeds of `market`. A halt stays in force. Owner only.
    function setFeeds(uint16 market, OracleConfig calldata config) external;

    /// @notice Halts the price of `market`, or lets it go on: while halted there is none, whatever the feeds say. Owner
    /// only.
    function setHalted(uint16 market, bool halted) external;

    /// @notice Hands each report to its feed, for anyone who has them. A report that is not newer than what its feed
    /// has is skipped, so that nobody can spoil a transaction by delivering its reports first.
    function deliver(uint16 market, SignedReport[] calldata reports) external;
}
