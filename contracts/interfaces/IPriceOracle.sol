// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IPriceOracle
/// @notice One price per market from several feeds: the median of those that are fresh and agree.
interface IPriceOracle {
    /// @notice How a market's feeds are read.
    struct OracleConfig {
        /// {s} A feed older than this does not count.
        uint32 heartbeat;
        /// {1e18 = 100 %} A feed further than this from the median of the fresh ones does not count.
        uint64 maxDeviation;
        /// How many feeds must be left.
        uint8 quorum;
        address[] feeds;
    }

    event FeedsSet(uint16 indexed market, OracleConfig config);

    /// @notice Thrown when a market has no feeds.
    error NoFeeds(uint16 market);
    /// @notice Thrown when fewer than `quorum` feeds are fresh.
    error StalePrice(uint16 market, uint256 fresh, uint256 quorum);
    /// @notice Thrown when enough feeds are fresh, but fewer than `quorum` agree.
    error QuorumNotMet(uint16 market, uint256 agreeing, uint256 quorum);
    /// @notice Thrown when feeds are configured with a value that makes no sense.
    error InvalidFeeds(uint16 market, string reason);

    /// @notice The price of one base unit. {usd/base, 1e18}
    /// @return price The median of the feeds that are fresh and agree; of an even number, the floor of the mean of
    /// the middle two.
    /// @return updatedAt {s} When the oldest feed behind that price was updated.
    function price(uint16 market) external view returns (int256 price, uint256 updatedAt);

    /// @notice How `market`'s feeds are read.
    function configOf(uint16 market) external view returns (OracleConfig memory);

    /// @notice Replaces the feeds of `market`. Owner only.
    function setFeeds(uint16 market, OracleConfig calldata config) external;
}
