// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAggregatorV3} from "./IAggregatorV3.sol";

/// @title ISignedPriceFeed
/// @notice A price feed that anyone may update with a report that one of its reporters signed: the price comes to the
/// chain with the transaction that needs it.
///
/// A report is EIP-712 `PriceReport(int128 price,uint64 timestamp)` in the domain "perpkit feed", version "1", of this
/// chain and this very feed, so that no report counts at another feed. The price has the feed's decimals.
interface ISignedPriceFeed is IAggregatorV3 {
    event ReporterSet(address indexed reporter, bool allowed);
    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    /// @notice Thrown when a report's price is not positive or more than `MAX_ANSWER`.
    error InvalidAnswer(int256 price);
    /// @notice Thrown when the feed already has a report of that time, or of a later one.
    error ReportNotNewer(uint256 timestamp, uint256 latest);
    /// @notice Thrown when a report is of a time that has not come.
    error ReportFromFuture(uint256 timestamp, uint256 present);
    /// @notice Thrown when a signature is none.
    error InvalidReportSignature();
    /// @notice Thrown when a report was signed by somebody who is no reporter, or when it was altered afterwards.
    error UnknownReporter(address signer);

    /// @notice The highest price in the feed's decimals that the market supports.
    function MAX_ANSWER() external view returns (int256);

    function isReporter(address) external view returns (bool);

    /// @notice Publishes a signed report, for anyone who has one. Time only moves on: a report must be newer than the
    /// last. `IPriceOracle.deliver` skips one that is not, so that whoever delivers it first harms nobody.
    function deliver(int128 price, uint64 timestamp, bytes calldata signature) external;

    /// @notice Allows or dismisses a reporter. What a dismissed one reported last stands until it is too old. Owner
    /// only.
    function setReporter(address reporter, bool allowed) external;
}
